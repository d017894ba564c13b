/// <reference types="@cloudflare/vitest-plugin/types" />

/** A file as text (vite). */
declare module "*?raw" {
  const text: string;
  export default text;
}
