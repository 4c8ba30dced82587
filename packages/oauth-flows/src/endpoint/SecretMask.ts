import * as Base64 from "effect/encoding/Base64"
import * as Redacted from "effect/Redacted"
import * as RegExp from "effect/RegExp"
import { formEncode } from "../client/ClientAuthentication.ts"

/** Makes a stranger's words fit to be shown: printable ASCII on one line, without our secrets. */
export type SecretMask = (text: string) => string

/**
 * Takes the given secrets out of a text, as they are and in the encodings they were sent in: a careless server
 * may echo them. What is not printable is dropped before, so that nothing can hide between the characters of a
 * secret.
 */
export const makeSecretMask = (secrets: ReadonlyArray<Redacted.Redacted>): SecretMask => {
  const forms = new Set(secrets.map(Redacted.value).flatMap(formsOf).map(printable).filter(isTelling))
  if (forms.size === 0) return printable
  const longestFirst = [...forms].sort((a, b) => b.length - a.length)
  const pattern = new RegExp.RegExp(longestFirst.map(RegExp.escape).join("|"), "gi")
  return (text) => printable(text).replaceAll(pattern, "[secret]")
}

const printable = (text: string): string => text.replaceAll(/\s+/g, " ").replaceAll(/[^\x20-\x7E]/g, "")

/** The value, its last word (the credentials of an Authorization header), and their encodings. */
const formsOf = (secret: string): ReadonlyArray<string> =>
  [secret, secret.slice(secret.lastIndexOf(" ") + 1)].flatMap((value) => [
    value,
    formEncode(value),
    encodeURIComponent(value.toWellFormed()),
    Base64.encode(value)
  ])

/** A parameter of one letter is no secret, and taking it out would take the whole text apart. */
const isTelling = (form: string): boolean => form.length >= 4
