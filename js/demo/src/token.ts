/**
 * Asks the demo's server for a token of one of its people; it asks for no
 * password. The SDK asks again before one is over. Without the server there is none.
 */
export function tokenOf(person: string): () => Promise<string | null> {
  return async () => {
    const resp = await fetch("/demo/token", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ person }),
    }).catch(() => null);
    if (resp === null) return null;
    if (!resp.ok) throw new Error(`no token for ${person}: ${resp.status} ${resp.statusText}`);
    const { token } = (await resp.json()) as { token: string }; // of our own server
    return token;
  };
}
