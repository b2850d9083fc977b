// Store URLs as text: their scheme, and how to show them without their secrets.

/** The scheme, in lower case: `sqlite` of `sqlite:/var/lib/vipd/fleet.db`; `undefined` when there is none. */
export function storeScheme(url: string): string | undefined {
  return /^([A-Za-z][A-Za-z0-9+.-]*):./u.exec(url)?.[1]?.toLowerCase();
}

/** The URL with user, password and the values of its query left out. Show no other form to anybody. */
export function redactUrl(url: string): string {
  return url
    .replaceAll(/\/\/[^/?#\s]*@/gu, "//***@")
    .replace(/\?.*$/su, (query) => query.replaceAll(/(password|passwd|token|secret|key)=[^&#]*/giu, "$1=***"));
}
