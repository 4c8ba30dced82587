/** Whether a body, as `fetch` takes it, can be read again, so that its request can be repeated; false for a stream. */
export const isBodyInMemory = (body: unknown): boolean =>
  typeof body === "string" ||
  body instanceof ArrayBuffer ||
  ArrayBuffer.isView(body) ||
  body instanceof Blob ||
  body instanceof FormData ||
  body instanceof URLSearchParams
