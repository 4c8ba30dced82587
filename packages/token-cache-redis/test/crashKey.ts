import * as Redacted from "effect/Redacted"

/** What the processes of the crash contract encrypt with. */
export const encryptionKey = Redacted.make("crash-0123456789abcdefghijklmnopqrstuvwxyz")
