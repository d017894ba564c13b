/** How this program is called, so that a line it prints works when it is pasted: npx knows it by the folder. */
export const PROGRAM = process.env["npm_command"] === "exec" ? "npx wicket" : "wicket";
