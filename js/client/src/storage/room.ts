/** Name of the file by which SQLite's pool tries whether the browser's handles are of the right kind. */
const PROBE = ".opfs-sahpool-sync-check-";

/** The methods of directories that ask for room. */
interface Directory {
  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<unknown>;
  getFileHandle(name: string, options?: { create?: boolean }): Promise<unknown>;
  removeEntry(name: string): Promise<void>;
}

/** A file that nothing is written to. */
const stand = { createSyncAccessHandle: async () => ({ close: () => {} }) };

/**
 * Lets a pool that is there be opened where the origin has no room left. The
 * pool asks for its directories to be made, and makes a file to try the browser
 * out; a browser whose quota is used up refuses both, and the database with all
 * that is pending in it could not even be read. So a directory that is there is
 * taken as it is, and the trial is done without when it cannot be had.
 */
export function needNoRoom(): void {
  // The types of a page lack what only workers have.
  const { FileSystemDirectoryHandle: handles } = globalThis as unknown as {
    FileSystemDirectoryHandle?: { prototype: Directory };
  };
  const dirs = handles?.prototype;
  if (!dirs || dirs.getDirectoryHandle.name === "patient") return;
  const { getDirectoryHandle, getFileHandle, removeEntry } = dirs;
  dirs.getDirectoryHandle = function patient(this: Directory, name, options) {
    return getDirectoryHandle.call(this, name).catch(() => getDirectoryHandle.call(this, name, options));
  };
  dirs.getFileHandle = function (this: Directory, name, options) {
    const got = getFileHandle.call(this, name, options);
    return name.startsWith(PROBE) ? got.catch((err) => (isFull(err) ? stand : Promise.reject(err))) : got;
  };
  dirs.removeEntry = function (this: Directory, name, ...rest) {
    const gone = removeEntry.call(this, name, ...rest);
    return name.startsWith(PROBE) ? gone.catch(() => {}) : gone;
  };
}

/** Whether something failed for want of room. */
export const isFull = (err: unknown): boolean => err instanceof DOMException && err.name === "QuotaExceededError";
