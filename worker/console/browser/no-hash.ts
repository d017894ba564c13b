/** Stands for `node:crypto` in the browser: segments are read there, and hashed with Web Crypto instead. */
export function createHash(): never {
  throw new Error("not in a browser");
}

export const hash = createHash;
