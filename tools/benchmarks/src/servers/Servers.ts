/** Programs that a measurement starts with `startServer`, each a process that counts nowhere. */
export const upstream = new URL("Upstream.ts", import.meta.url)
export const tokenEndpoint = new URL("TokenEndpoint.ts", import.meta.url)
