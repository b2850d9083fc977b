// Store URLs as text: their scheme, and how to show them without their secrets.

/** The scheme, in lower case: `sqlite` of `sqlite:/var/lib/vipd/fleet.db`; `undefined` when there is none. */
export function storeScheme(url: string): string | undefined {
  return /^([A-Za-z][A-Za-z0-9+.-]*):/u.exec(url)?.[1]?.toLowerCase();
}

/** The ports at which stores listen unless told otherwise. */
const PORTS: Readonly<Record<string, string>> = { "2379": "etcd", "6379": "redis" };

/** What is meant by a path, or by hosts with ports, where the URL of a store should be; `undefined`: who knows. */
export function storeUrlFix(text: string): string | undefined {
  if (text.startsWith("/")) return `write sqlite:${text}`;
  const rest = text.replace(/^https?:\/\//u, "");
  const port = /^(?:[\w.-]+:\d{1,5},)*[\w.-]+:(\d{1,5})\/?$/u.exec(rest)?.[1];
  const scheme = port !== undefined && Object.hasOwn(PORTS, port) ? PORTS[port] : undefined;
  return scheme === undefined ? undefined : `write ${scheme}://${rest}`;
}

/** Where a user and a password may begin: after the two slashes of a URL, with or without its scheme. */
const AUTHORITY = /(?<=^|[\s:])\/\//u;

/** An option of a URL. */
const OPTION = /([?&;])([^=&;?\s]*)=([^&;#\s]*)/gu;

/** Options whose values are secrets; those that name a file are not. */
const SECRET_OPTION = /(?:pass|pw|secret|token|key|auth|cred)/iu;
const FILE_OPTION = /file$/iu;

/**
 * The URL, or a sentence with URLs, with user, password and the secrets of its query left out. Show no other form to
 * anybody. What people forgot to write (the slashes) or to escape ("/", "?", "@", a space in a password) is left out
 * too: everything up to the last "@".
 */
export function redactUrl(text: string): string {
  const [prose = "", ...urls] = text.split(AUTHORITY);
  const shown = [withoutBareUser(prose), ...urls.map(withoutUser)].join("//");
  return shown.replaceAll(OPTION, (option: string, sign: string, name: string, value: string) =>
    SECRET_OPTION.test(name) && !FILE_OPTION.test(name) && !isKeyFile(name, value) ? `${sign}${name}=***` : option,
  );
}

/** The option `key` names the file of a TLS key. */
function isKeyFile(name: string, value: string): boolean {
  return name === "key" && /^(?:\/|%2F)/iu.test(value);
}

/** Whether a store URL has a password, or another secret, in itself. */
export function hasSecret(url: string): boolean {
  const shown = redactUrl(url);
  const user = url.slice(0, url.lastIndexOf("@")).replace(/^[^:]*:(?:\/\/)?/u, "");
  return shown !== url && (user.includes(":") || shown.includes("=***"));
}

/** What follows the two slashes, without user and password. */
function withoutUser(rest: string): string {
  const at = rest.lastIndexOf("@");
  return at === -1 ? rest : `***${rest.slice(at)}`;
}

/** Words such as "redis:user:password@host", whose slashes were forgotten; a path may well have an "@". */
function withoutBareUser(prose: string): string {
  return prose.replaceAll(/\S+/gu, (word) => {
    const at = word.lastIndexOf("@");
    const colon = word.indexOf(":");
    if (colon === -1 || colon > at) return word;
    const user = word.slice(colon + 1, at);
    return user.startsWith("/") && !user.includes(":") ? word : `${word.slice(0, colon + 1)}***${word.slice(at)}`;
  });
}
