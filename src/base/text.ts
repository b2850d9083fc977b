// Text that comes from elsewhere, or grows with a list, is cut where it is made.

/** The text, cut to `most` UTF-16 code units; what is cut off shows as dots. */
export function clip(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 3)}...`;
}
