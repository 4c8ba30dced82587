/** Bytes from which on it is worth the call. */
const leastFreed = 16 * 1024

const whenWritten = Symbol("its memory is freed when it is written")

/**
 * Frees the memory of a piece of a body that was passed on, unless it shares it with other pieces.
 *
 * V8 would keep it until a collection. It does one for about each 64 MiB of such memory, however little there is besides, and each
 * looks at all objects of the process: with long bodies that took a third of all time.
 *
 * @param piece which nobody reads any more, and which no connection is still writing: it is empty afterwards
 */
export const freeMemory = (piece: Uint8Array): void => {
  const { buffer } = piece
  if (piece.length >= leastFreed && piece.length === buffer.byteLength && buffer instanceof ArrayBuffer)
    buffer.transfer(0)
}

/** Lets the connection that writes a piece free its memory (`freeMemory`): only it knows when all of it has left. */
export const freeWhenWritten = <Piece extends Uint8Array>(piece: Piece): Piece =>
  piece.length < leastFreed ? piece : Object.assign(piece, { [whenWritten]: true })

/** What `freeWhenWritten` was called with. */
export const isFreedWhenWritten = (piece: unknown): piece is Uint8Array =>
  piece instanceof Uint8Array && piece.length >= leastFreed && whenWritten in piece
