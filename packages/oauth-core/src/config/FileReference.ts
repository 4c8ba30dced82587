/**
 * The path of a value that is `${file:/path}` and nothing else; undefined for any other value. Keys whose tokens are
 * replaced while the process runs keep such a reference, and the file is read for each request.
 */
export const fileReference = (value: string): string | undefined =>
  /^\$\{file:(?<path>[^}]+)\}$/.exec(value)?.groups?.["path"]
