/** A JSON array of texts, as the column labels holds it; what is none is empty. */
export function readLabels(json: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(json);
    return Array.isArray(list) ? list.filter((x) => typeof x === "string") : [];
  } catch {
    return [];
  }
}
