/** Names this program in the server's logs. */
export const AGENT = "tidemark-js/0.1";
