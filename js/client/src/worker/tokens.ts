/** The token that the app gave last: it is asked once, and again when the server refused it or it will soon be over. */
export class Token {
  readonly #ask: ((refused: boolean) => Promise<string>) | null;
  #got: Promise<string> | null = null;

  /** null: the app has none. */
  constructor(ask: ((refused: boolean) => Promise<string>) | null) {
    this.#ask = ask;
  }

  readonly get = async (): Promise<string> => {
    if (this.#ask === null) return "";
    this.#got ??= this.#ask(false);
    return await this.#got;
  };

  /** Another one. */
  readonly renew = async (): Promise<string> => {
    if (this.#ask === null) return "";
    this.#got = this.#ask(true);
    return await this.#got;
  };

  /** The app is asked when it is needed next. */
  forget(): void {
    this.#got = null;
  }

  /** The token was refused: whether there is another one. */
  async replace(): Promise<boolean> {
    const old = await this.get();
    const token = await this.renew();
    return token !== old && token !== "";
  }
}
