import fc from "fast-check";

/**
 * Gives random tests their seed, as internal/dice does in Go: with CI=true every
 * run tries the same cases, TIDEMARK_SEED names others, and elsewhere each run
 * rolls its own. fast-check prints the seed of what failed.
 */
const seed = process.env.TIDEMARK_SEED ?? (process.env.CI === "true" ? "1" : "");
if (seed !== "" && !/^[1-9]\d*$/.test(seed))
  throw new Error(`TIDEMARK_SEED is ${seed}, and should be a number above 0`);
if (seed !== "") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(BigInt(seed) & 0x7fffffffn) });
