/** As much of IndexedDB as the storage uses; transactions take place one after the other, each at once. */
export class FakeIndexedDb {
  readonly #stores = new Map<string, Map<string, { readonly key: IDBValidKey; readonly value: unknown }>>();
  #made = false;
  /** The next transaction that writes is ended, as the browser does to a page that stood still; then this happens. */
  endNext: (() => void) | null = null;

  open(_name: string, version?: number): Request {
    const request = new Request();
    request.result = this.#database();
    queueMicrotask(() => {
      if (!this.#made && version === undefined) return request.failed(new Error("AbortError"));
      if (!this.#made) request.onupgradeneeded?.();
      this.#made = true;
      request.succeeded(request.result);
    });
    return request;
  }

  /** Numbers of commits that are there. */
  turns(): number[] {
    return [...(this.#stores.get("facts")?.values() ?? [])].flatMap(({ key }) =>
      Array.isArray(key) && key[0] === "turn" ? [key[1] as number] : [],
    );
  }

  /** The blocks that are stored. */
  blocks(): Uint8Array[] {
    return [...(this.#stores.get("blocks")?.values() ?? [])].map((r) => r.value as Uint8Array);
  }

  /** Another tab commits. */
  take(n: number): void {
    this.#stores.get("facts")!.set(JSON.stringify(["turn", n]), { key: ["turn", n], value: "" });
  }

  #database(): object {
    return {
      close: () => {},
      createObjectStore: (name: string) => this.#stores.set(name, new Map()),
      transaction: (_: string | string[], mode?: string) => this.#transaction(mode === "readwrite"),
    };
  }

  #transaction(writes: boolean): object {
    const undo = new Map([...this.#stores].map(([name, rows]) => [name, new Map(rows)]));
    const next = writes ? this.endNext : null;
    if (writes) this.endNext = null;
    let error = next === null ? null : new Error("Transaction timed out due to inactivity.");
    const tx = {
      error: null as Error | null,
      oncomplete: () => {},
      onabort: () => {},
      commit: () => {},
      objectStore: (name: string) => this.#store(this.#stores.get(name)!, (err) => (error ??= err)),
    };
    setTimeout(() => {
      if (error === null) return tx.oncomplete();
      for (const [name, rows] of undo) this.#stores.set(name, rows);
      next?.();
      tx.error = error;
      tx.onabort();
    });
    return tx;
  }

  #store(
    rows: Map<string, { readonly key: IDBValidKey; readonly value: unknown }>,
    fail: (err: Error) => void,
  ): object {
    const answer = (fn: () => unknown): Request => {
      const request = new Request();
      try {
        const result = fn();
        queueMicrotask(() => request.succeeded(result));
      } catch (err) {
        // What add throws.
        fail(err as Error);
        queueMicrotask(() => request.failed(err as Error));
      }
      return request;
    };
    const put = (value: unknown, key: IDBValidKey) => rows.set(JSON.stringify(key), { key, value });
    return {
      put: (value: unknown, key: IDBValidKey) => answer(() => put(value, key)),
      add: (value: unknown, key: IDBValidKey) =>
        answer(() => {
          if (rows.has(JSON.stringify(key))) throw Object.assign(new Error("it is there"), { name: "ConstraintError" });
          put(value, key);
        }),
      delete: (key: IDBValidKey) => answer(() => rows.delete(JSON.stringify(key))),
      get: (key: IDBValidKey) => answer(() => rows.get(JSON.stringify(key))?.value),
      getAll: () => answer(() => [...rows.values()].map((r) => r.value)),
      getAllKeys: () => answer(() => [...rows.values()].map((r) => r.key)),
      openKeyCursor: () =>
        answer(() => {
          const turns = this.turns();
          return turns.length === 0 ? null : { key: ["turn", Math.max(...turns)] };
        }),
    };
  }
}

class Request {
  result: unknown = null;
  error: Error | null = null;
  readonly transaction = { abort: () => {} };
  onsuccess: (() => void) | null = null;
  onerror: ((e: { target: Request }) => void) | null = null;
  onupgradeneeded: (() => void) | null = null;

  succeeded(result: unknown): void {
    this.result = result;
    this.onsuccess?.();
  }

  failed(err: Error): void {
    this.error = err;
    this.onerror?.({ target: this });
  }
}
