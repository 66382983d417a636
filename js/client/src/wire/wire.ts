import { sha256 } from "./sha256.ts";

/** The version of the protocol that this build speaks. */
export const protocol = 1;

/** The WebSocket subprotocol of this version. */
export const subprotocol = "tidemark.1";

/** Names a changeset by its content: the first 16 bytes of SHA-256 over the salt and the encoded changes. */
export function hashOf(salt: Uint8Array, body: Uint8Array): Uint8Array {
  return sha256(salt, body).slice(0, 16);
}
