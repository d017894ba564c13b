/** Connectors: presence, version, resources; and for administrators their life. */
import type { Resource } from "../../policies/task.ts";
import type { ConnectionSummary, ConnectorSummary } from "../connectors/object.ts";
import { Foreign, FormToken, Page, type Signed, Status, Time } from "./layout.tsx";
import { sizeWords } from "./recording-pages.tsx";

export function ConnectorsPage(
  props: Signed & { connectors: readonly ConnectorSummary[]; resources: readonly Resource[] },
) {
  const { connectors, resources, visitor } = props;
  const offline = connectors.filter((one) => !one.online).map((one) => one.name);
  const filling = connectors.filter((one) =>
    one.connections.some(({ spool }) => spool !== null && spool.used > spool.max * 0.75),
  );
  const told = [
    offline.length > 0 ? `Offline: ${offline.join(", ")}.` : "All connectors are online.",
    ...(visitor.admin ? filling.map(({ name }) => `The spool of ${name} is nearly full.`) : []),
  ].join(" ");
  return (
    <Page title="Connectors" path="/connectors" visitor={visitor} live told={told}>
      {connectors.length === 0 ? <p>There is no connector for your tasks.</p> : null}
      {connectors.map((connector) => (
        <section class="card" data-key={connector.name} aria-label={connector.name}>
          <h2>
            {connector.name} <Status value={connector.online ? "online" : "offline"} />
          </h2>
          <dl>
            <dt>Resources</dt>
            <dd>
              {resources
                .filter((resource) => resource.connector === connector.name)
                .map((resource) => `${resource.name} (${resource.type})`)
                .join(", ")}
            </dd>
            <dt>Connections</dt>
            <dd>
              {connector.connections.length === 0 ? "none" : null}
              <ul>
                {connector.connections.map((one) => (
                  <li>
                    version <Foreign text={one.version ?? "not known"} />, since <Time ms={one.since} />,
                    serves <Foreign text={one.resources.join(", ") || "nothing"} />
                    {one.seals ? "; seals recordings for its auditors" : ""}
                    {visitor.admin ? <Spool spool={one.spool} /> : null}
                  </li>
                ))}
              </ul>
            </dd>
            {visitor.admin ? (
              <>
                <dt>Sessions now</dt>
                <dd>{connector.sessions}</dd>
                <dt>Key</dt>
                <dd>
                  {connector.enrolled ? (
                    <>
                      <code>{connector.enrolled.thumbprint}</code>, enrolled{" "}
                      <Time ms={connector.enrolled.since} />
                    </>
                  ) : (
                    "not enrolled"
                  )}
                </dd>
              </>
            ) : null}
          </dl>
          {visitor.admin ? <Controls visitor={visitor} connector={connector} /> : null}
        </section>
      ))}
    </Page>
  );
}

/** What the connector keeps of recordings that are not stored yet. */
function Spool(props: { spool: ConnectionSummary["spool"] }) {
  const { spool } = props;
  if (!spool) return null;
  const { used, max, sessions, refused } = spool;
  const share = max === 0 ? 0 : Math.round((100 * used) / max);
  return (
    <>
      <br />
      <meter
        {...{ min: 0, max: 100, low: 75, high: 90, optimum: 0, value: Math.min(share, 100) }}
        aria-label={`Spool: ${share} % full`}
      />{" "}
      {`Recordings not stored yet: ${sizeWords(used)} of ${sizeWords(max)} (${share} %), of ${sessions} session${sessions === 1 ? "" : "s"}. `}
      {share >= 90 ? <strong class="denied">No new session begins until there is room. </strong> : null}
      {share >= 75 && share < 90 ? (
        <strong class="pending">
          Nearly full: at 90 % no new session begins. Can the connector reach this edge, and the edge its
          store?{" "}
        </strong>
      ) : null}
      {refused > 0 ? (
        <strong class="denied">{`${refused} refused by the edge and set aside on its host.`}</strong>
      ) : null}
    </>
  );
}

function Controls(props: Signed & { connector: ConnectorSummary }) {
  const { connector, visitor } = props;
  const { name, enrolled, online } = connector;
  return (
    <div class="controls">
      {online ? (
        <form method="post" action={`/connectors/${name}/drain`}>
          <FormToken visitor={visitor} />
          <button type="submit">Drain {name}: finish what runs, then reconnect</button>
        </form>
      ) : null}
      {enrolled ? (
        <details>
          <summary>Remove or replace {name}</summary>
          <form class="row" method="post" action={`/connectors/${name}/remove`}>
            <FormToken visitor={visitor} />
            <button type="submit">Remove {name}: its key is worth nothing then, and its sessions end</button>
          </form>
          <form class="row" method="post" action={`/connectors/${name}/enrol`}>
            <FormToken visitor={visitor} />
            <input type="hidden" name="replace" value="yes" />
            <button type="submit">Give the name to another key</button>
          </form>
        </details>
      ) : (
        <form method="post" action={`/connectors/${name}/enrol`}>
          <FormToken visitor={visitor} />
          <button type="submit" aria-label={`Enrol ${name}`}>
            Enrol
          </button>
        </form>
      )}
    </div>
  );
}

export function EnrolmentPage(props: Signed & { name: string; code: string; expires: number; edge: string }) {
  const { visitor, name, code, expires, edge } = props;
  return (
    <Page title={`Enrol ${name}`} path="" visitor={visitor}>
      <p>
        Give this code to the connector. It is shown once, is good for one key, and ends at{" "}
        <Time ms={expires} />.
      </p>
      <pre tabindex={0}>{code}</pre>
      <p>
        On its machine, with <code>edge: {edge}</code> and <code>name: {name}</code> in its configuration:{" "}
        <code>wicket-connector enroll --config connector.yaml --code-file -</code>
      </p>
    </Page>
  );
}
