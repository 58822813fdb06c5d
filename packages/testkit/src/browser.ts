/** As much of a browser as a login needs: it follows redirects, keeps cookies by path and sends forms. */
export class Browser {
  readonly #cookies = new Map<string, { value: string; path: string }>();
  /** Where it has arrived, and what is there. */
  url = new URL('about:blank');
  text = '';
  status = 0;
  headers: Readonly<Record<string, string>> = {};

  async open(address: string | URL, body?: URLSearchParams): Promise<void> {
    let next: { url: URL; body: URLSearchParams | undefined } | undefined = { url: new URL(address), body };
    for (let hops = 0; next !== undefined; hops++) {
      if (hops > 20) throw new Error('redirected in circles');
      next = await this.#go(next.url, next.body);
    }
  }

  /** Sends the form of the page, with the hidden fields that it has. */
  submit(fields: Readonly<Record<string, string>> = {}): Promise<void> {
    const action = /<form[^>]*action="([^"]+)"/.exec(this.text)?.[1];
    if (action === undefined) throw new Error(`there is no form at ${this.url.href}: ${this.text}`);
    const hidden = Array.from(this.text.matchAll(/<input[^>]*type="hidden"[^>]*>/g), ([input]) => [
      /name="([^"]*)"/.exec(input)?.[1] ?? '',
      /value="([^"]*)"/.exec(input)?.[1] ?? '',
    ]);
    return this.open(new URL(action, this.url), new URLSearchParams({ ...Object.fromEntries(hidden), ...fields }));
  }

  async #go(url: URL, body?: URLSearchParams): Promise<{ url: URL; body: undefined } | undefined> {
    const cookie = [...this.#cookies]
      .filter(([, { path }]) => url.pathname.startsWith(path))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
    const response = await fetch(url, {
      method: body ? 'POST' : 'GET',
      redirect: 'manual',
      headers: cookie === '' ? {} : { cookie },
      ...(body && { body }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      const path = /;\s*path=([^;]+)/i.exec(line)?.[1] ?? '/';
      if (value === '') this.#cookies.delete(name);
      else this.#cookies.set(name, { value, path });
    }
    this.url = url;
    this.status = response.status;
    this.headers = Object.fromEntries(response.headers);
    this.text = await response.text();
    const location = response.headers.get('location');
    return location === null ? undefined : { url: new URL(location, url), body: undefined };
  }
}
