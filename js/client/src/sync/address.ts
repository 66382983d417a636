import { TidemarkError } from "../error.ts";

const API = "/v1/spaces/";

/**
 * Where a space is served; takes http://host/NAME and http://host/v1/spaces/NAME,
 * ws and wss as well, and a path where it is given the page that it is of.
 */
export class Address {
  /** http or https, up to and including the name of the space; also what is kept in the file. */
  readonly base: string;
  readonly space: string;

  constructor(text: string, page?: string) {
    let url: URL;
    try {
      url = new URL(text, page);
    } catch {
      throw bad(`the address "${text}" cannot be read`);
    }
    const scheme = /^(?:http|ws)(s?):$/.exec(url.protocol);
    if (!scheme) throw bad(`the address "${text}" begins with ${url.protocol}//, not with http:// or https://`);
    if (url.username || url.search || url.hash) throw bad(`the address "${text}" has more than host and path`);
    const path = url.pathname.replace(/\/+$/, "");
    const at = path.lastIndexOf("/");
    const name = path.slice(at + 1);
    if (name === "") throw bad(`the address "${text}" does not name a space`);
    const prefix = path.slice(0, at + 1).replace(new RegExp(`(?:${API}|/)$`), "");
    try {
      this.space = decodeURIComponent(name);
    } catch {
      throw bad(`the address "${text}" cannot be read`);
    }
    this.base = `http${scheme[1]}://${url.host}${prefix}${API}${name}`;
  }

  /** The address of a part of the space. */
  at(part: string): string {
    return `${this.base}/${part}`;
  }

  get socket(): string {
    return `${this.base.replace(/^http/, "ws")}/ws`;
  }
}

function bad(message: string): TidemarkError {
  return new TidemarkError("usage", message, {
    op: "connect",
    hint: "write it like https://host/NAME, NAME being the space",
  });
}
