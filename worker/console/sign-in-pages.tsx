/** Signing in, and signing in a program. */
import { FormToken, Page, type Signed } from "./layout.tsx";

export function SignInPage(props: { issuers: readonly { label: string; href: string }[]; message?: string }) {
  return (
    <Page title="Sign in" path="" visitor={null}>
      {props.message ? <p class="warn">{props.message}</p> : null}
      {props.issuers.length === 0 ? (
        <p>No provider is configured for signing in through the browser.</p>
      ) : null}
      <ul>
        {props.issuers.map((issuer) => (
          <li>
            <a href={issuer.href}>Sign in with {issuer.label}</a>
          </li>
        ))}
      </ul>
    </Page>
  );
}

/** The person confirms that a program may sign in as them: nothing is handed out by a link alone. */
export function ConfirmPage(
  props: Signed & { title: string; words: string; action: string; fields: Readonly<Record<string, string>> },
) {
  return (
    <Page title={props.title} path="" visitor={props.visitor}>
      <p>{props.words}</p>
      <form class="row" method="post" action={props.action}>
        <FormToken visitor={props.visitor} />
        {Object.entries(props.fields).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <button type="submit" class="main" name="answer" value="yes">
          Yes, sign it in
        </button>
        <button type="submit" name="answer" value="no">
          No
        </button>
      </form>
    </Page>
  );
}

export function DevicePage(props: Signed & { message?: string }) {
  return (
    <Page title="Sign in a program" path="" visitor={props.visitor}>
      {props.message ? <p class="warn">{props.message}</p> : null}
      <form class="row" method="get" action="/device">
        <label>
          The code that the program shows
          <input name="user_code" required autocomplete="off" autocapitalize="characters" maxlength={12} />
        </label>
        <button type="submit" class="main">
          Go on
        </button>
      </form>
    </Page>
  );
}
