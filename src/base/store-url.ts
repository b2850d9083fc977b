// Store URLs as text: their scheme, and how to show them without their secrets.

/** The scheme, in lower case: `sqlite` of `sqlite:/var/lib/vipd/fleet.db`; `undefined` when there is none. */
export function storeScheme(url: string): string | undefined {
  return /^([A-Za-z][A-Za-z0-9+.-]*):/u.exec(url)?.[1]?.toLowerCase();
}

/**
 * The URL with user, password and the secrets of its query left out. Show no other form to anybody. What people forgot to
 * escape ("/", "?" or a space in a password) is left out too: everything up to the last "@".
 */
export function redactUrl(url: string): string {
  const isOne = /^[A-Za-z][A-Za-z0-9+.-]*:\S/u.test(url) && url.indexOf("://") === url.lastIndexOf("://");
  const shown = isOne ? withoutUser(url) : url.replaceAll(/\S+/gu, withoutUser);
  return shown.replace(/\?.*$/su, (query) =>
    query.replaceAll(/(password|passwd|token|secret|key)=[^&#]*/giu, "$1=***"),
  );
}

/** A path may hold an "@" of its own; `scheme:user:password@host` is a slip, and has a password all the same. */
function withoutUser(word: string): string {
  const slashes = word.indexOf("//");
  const colon = word.indexOf(":");
  const to = word.lastIndexOf("@");
  if (slashes !== -1) return to < slashes ? word : `${word.slice(0, slashes)}//***${word.slice(to)}`;
  const hasUser = colon !== -1 && word[colon + 1] !== "/" && word.slice(colon + 1, to).includes(":");
  return to > colon && hasUser ? `${word.slice(0, colon)}:***${word.slice(to)}` : word;
}

/** Whether the URL itself holds a password or another secret. */
export function holdsSecret(url: string): boolean {
  return /\/\/[^@]*:[^@]*@/u.test(url) || redactUrl(url).includes("=***");
}
