export type IssuerPeople = Readonly<
  Record<string, { readonly name: string; readonly groups: readonly string[]; readonly is: string }>
>;

/** The people of the demo. Whoever comes to the page says which of them they are. */
export const PEOPLE: IssuerPeople = {
  ana: { name: 'Ana', groups: ['engineers'], is: 'an engineer, who asks' },
  ben: { name: 'Ben', groups: ['dba'], is: 'a database administrator, who approves' },
  olga: { name: 'Olga', groups: ['platform'], is: 'an operator, who looks after the gateway' },
};

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 4rem auto; max-width: 30rem; padding: 0 1rem; color-scheme: light dark; }
button, input { font: inherit; padding: .6rem 1rem; margin: .3rem 0; }
button { display: block; width: 100%; text-align: left; cursor: pointer; }
small { opacity: .7; }
</style>
<h1>${title}</h1>
${body}
</html>
`;

export const choosePage = (action: string, people: IssuerPeople): string =>
  page(
    'Who are you?',
    `<p>This identity provider belongs to the demo. Its people are made up, and have no passwords.</p>
<form method="post" action="${escaped(action)}">
${Object.entries(people)
  .map(([id, { name, is }]) => `<button name="account" value="${id}">${name}<br><small>${is}</small></button>`)
  .join('\n')}
</form>`,
  );

/** `form` is the provider's own, with the token that keeps other sites from sending it. */
export const codePage = (form: string, wrong: boolean): string =>
  page(
    'Enter the code',
    `<p>${wrong ? 'That code is not known, or is no longer good.' : 'It is on the screen of your terminal.'}</p>
${form}
<button type="submit" form="op.deviceInputForm">Continue</button>`,
  );

export const confirmPage = (form: string, code: string): string =>
  page(
    'Is this your terminal?',
    `<p>It shows the code <b>${escaped(code)}</b>. If it is not yours, close this window.</p>
${form}
<button type="submit" form="op.deviceConfirmForm" autofocus>Yes, log it in</button>`,
  );

export const donePage = (): string =>
  page('Logged in', '<p>The rest is in your terminal. You can close this window.</p>');

/** `form` is the provider's own. */
export const logoutPage = (form: string): string =>
  page(
    'Log out here as well?',
    `<p>You are logged out of Sluice.</p>
${form}
<button type="submit" form="op.logoutForm" name="logout" value="yes" autofocus>Yes, log out</button>`,
  );

export const loggedOutPage = (): string => page('Logged out', '<p>You can close this window.</p>');

export const failedPage = (why: string): string => page('This did not work', `<p>${escaped(why)}</p>`);

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
