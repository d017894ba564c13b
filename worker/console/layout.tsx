/** The frame of every page and the small parts that pages share. */
import type { Child } from "hono/jsx";
import { assetUrl } from "./assets.ts";
import type { Visitor } from "./session.ts";
import { visible } from "./visible.ts";

const PAGES = [
  ["/", "My access"],
  ["/requests", "Requests"],
  ["/sessions", "Sessions"],
  ["/recordings", "Recordings"],
  ["/audit", "Audit"],
  ["/policies", "Policies"],
  ["/connectors", "Connectors"],
] as const;

export interface Signed {
  readonly visitor: Visitor;
}

export function Page(props: {
  title: string;
  path: string;
  /** The page of the navigation that this one is below. */
  within?: string;
  visitor: Visitor | null;
  /** The content is kept up to date; `told` says what is new, for those who do not see it. */
  live?: boolean;
  told?: string;
  /** Name of a script's file. */
  script?: string;
  /** Name of a further style sheet's file. */
  style?: string;
  children: Child;
}) {
  const { title, path, within, visitor, live, told, script, style, children } = props;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{`${title} · Wicketgate`}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={assetUrl("style.css")} />
        {live ? <script src={assetUrl("live.js")} defer /> : null}
        {style ? <link rel="stylesheet" href={assetUrl(style)} /> : null}
        {script ? <script src={assetUrl("again.js")} defer /> : null}
        {script ? <script type="module" src={assetUrl(script)} /> : null}
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to the content
        </a>
        <header>
          <strong>Wicketgate</strong>
          {visitor ? (
            <>
              <nav aria-label="Pages">
                {PAGES.map(([href, label]) => (
                  <a href={href} aria-current={href === path ? "page" : href === within ? "true" : undefined}>
                    {label}
                  </a>
                ))}
              </nav>
              <form method="post" action="/logout">
                <FormToken visitor={visitor} />
                <span class="soft">{visitor.identity.name ?? visitor.identity.subject} </span>
                <button type="submit">Sign out</button>
              </form>
            </>
          ) : null}
        </header>
        <main id="main">
          <h1>{title}</h1>
          {live ? (
            <p role="status" class="hidden" data-told>
              {told ?? ""}
            </p>
          ) : null}
          {live ? <div data-live="true">{children}</div> : children}
        </main>
      </body>
    </html>
  );
}

export function FormToken(props: { visitor: Visitor }) {
  return <input type="hidden" name="form_token" value={props.visitor.formToken} />;
}

export function Status(props: { value: string }) {
  return <span class={`status ${props.value}`}>{props.value}</span>;
}

export function Time(props: { ms: number | null }) {
  if (props.ms === null) return <span>–</span>;
  const iso = new Date(props.ms).toISOString();
  return <time dateTime={iso}>{`${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`}</time>;
}

/** Text from elsewhere, with everything misleading made visible and named. */
export function Foreign(props: { text: string; block?: boolean }) {
  const { parts, warnings } = visible(props.text, !props.block);
  const shown = parts.map((part) => (part.mark ? <mark>{part.text}</mark> : part.text));
  return (
    <>
      {props.block ? <pre tabindex={0}>{shown}</pre> : <bdi>{shown}</bdi>}
      {props.block ? warnings.map((warning) => <p class="warn">{warning}</p>) : null}
    </>
  );
}

export function Person(props: { of: { issuer: string; subject: string; name: string | null } }) {
  const { issuer, subject, name } = props.of;
  return (
    <span title={issuer}>
      <Foreign text={name ?? subject} />
      {name !== null && name !== subject ? <span class="soft"> ({subject})</span> : null}
    </span>
  );
}

export function Params(props: { of: Readonly<Record<string, string>> }) {
  const entries = Object.entries(props.of);
  if (entries.length === 0) return <span class="soft">none</span>;
  return <Foreign text={entries.map(([name, value]) => `${name}=${value}`).join(" ")} />;
}

export function MessagePage(props: { visitor: Visitor | null; title: string; message: string }) {
  return (
    <Page title={props.title} path="" visitor={props.visitor}>
      <p>{props.message}</p>
    </Page>
  );
}
