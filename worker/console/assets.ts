/** Files for browsers, served by the Worker itself. */
import assets from "../../build/console/assets.js";

/** Address of a file: it changes with the file's contents, so browsers may keep it for good. */
export function assetUrl(name: string): string {
  return `/console/${name}?v=${assets[name]?.version ?? ""}`;
}

/** The file, or null. Under an old or missing version it is not to be kept. */
export function assetResponse(name: string, version: string | undefined): Response | null {
  const asset = Object.hasOwn(assets, name) ? assets[name]! : null;
  if (!asset) return null;
  const kept = version === asset.version ? "public, max-age=31536000, immutable" : "no-cache";
  return new Response(asset.body, { headers: { "content-type": asset.type, "cache-control": kept } });
}
