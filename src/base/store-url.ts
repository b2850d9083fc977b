// Store URLs as text: their scheme, and how to show them without their secrets.

/** The scheme, in lower case: `sqlite` of `sqlite:/var/lib/vipd/fleet.db`; `undefined` when there is none. */
export function storeScheme(url: string): string | undefined {
  return /^([A-Za-z][A-Za-z0-9+.-]*):/u.exec(url)?.[1]?.toLowerCase();
}

/**
 * The URL with user, password and the secrets of its query left out. Show no other form to anybody. What people forgot to
 * escape ("/" or "?" in a password) is left out too: everything up to the last "@".
 */
export function redactUrl(url: string): string {
  return url
    .replaceAll(/\S+/gu, withoutUser)
    .replace(/\?.*$/su, (query) => query.replaceAll(/(password|passwd|token|secret|key)=[^&#]*/giu, "$1=***"));
}

function withoutUser(word: string): string {
  const [from, to] = [word.indexOf("//"), word.lastIndexOf("@")];
  return from === -1 || to < from ? word : `${word.slice(0, from)}//***${word.slice(to)}`;
}
