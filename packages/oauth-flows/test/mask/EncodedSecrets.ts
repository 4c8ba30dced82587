/** A way in which a program writes a secret. */
export type Encode = (secret: string) => string

const bytesOf = (secret: string) => Buffer.from(secret, "utf8")

/** Every byte, even those that need no escape. */
const percentAll: Encode = (secret) =>
  [...bytesOf(secret)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")

const lowerPercent: Encode = (secret) =>
  encodeURIComponent(secret).replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())

const everySecond =
  (encode: Encode): Encode =>
  (secret) =>
    [...secret].map((character, index) => (index % 2 === 0 ? encode(character) : character)).join("")

const jsonUnicode =
  (digitsOf: (digits: string) => string): Encode =>
  (secret) =>
    Array.from(
      { length: secret.length },
      (_, at) => `\\u${digitsOf(secret.charCodeAt(at).toString(16).padStart(4, "0"))}`
    ).join("")

const json: Encode = (secret) => JSON.stringify(secret).slice(1, -1)

const names: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  "/": "&sol;",
  "+": "&plus;",
  "=": "&equals;",
  _: "&lowbar;",
  ".": "&period;"
}
const htmlNames: Encode = (secret) => [...secret].map((character) => names[character] ?? character).join("")

const htmlNumbers =
  (numberOf: (codePoint: number) => string): Encode =>
  (secret) =>
    [...secret].map((character) => `&#${numberOf(character.codePointAt(0) ?? 0)};`).join("")

/** In something longer, where the secret begins at this byte of a group of three. */
const base64At =
  (offset: number, encoding: "base64" | "base64url", toBytes: (secret: string) => Buffer = bytesOf): Encode =>
  (secret) =>
    Buffer.concat([
      Buffer.from("\u0000\u0000".slice(0, offset)),
      toBytes(secret),
      Buffer.from("\u0000")
    ]).toString(encoding)

const utf16le = (secret: string) => Buffer.from(secret, "utf16le")
const utf16be = (secret: string) => utf16le(secret).swap16()

const wrapped =
  (width: number, end: string, encode: Encode): Encode =>
  (secret) =>
    encode(secret).replaceAll(new RegExp(`.{${width}}`, "g"), (line) => line + end)

/** Each is taken out of a text, in whatever secret. */
export const encodings: ReadonlyArray<readonly [name: string, encode: Encode]> = [
  ["as it is", (secret) => secret],
  ["in upper case", (secret) => secret.replaceAll(/[a-z]+/g, (text) => text.toUpperCase())],
  ["in lower case", (secret) => secret.replaceAll(/[A-Z]+/g, (text) => text.toLowerCase())],
  ["percent", encodeURIComponent],
  ["percent with lower-case digits", lowerPercent],
  ["percent, every byte", percentAll],
  ["percent, every byte, upper-case digits", (secret) => percentAll(secret).toUpperCase()],
  ["percent, twice", (secret) => encodeURIComponent(encodeURIComponent(secret))],
  ["percent, every byte, twice", (secret) => encodeURIComponent(percentAll(secret))],
  ["percent, three times", (secret) => encodeURIComponent(encodeURIComponent(percentAll(secret)))],
  ["percent, every second character", everySecond(percentAll)],
  ["a form", (secret) => new URLSearchParams([["", secret]]).toString().slice(1)],
  ["JSON", json],
  ["JSON in JSON", (secret) => json(json(secret))],
  ["JSON with escaped slashes", (secret) => json(secret).replaceAll("/", "\\/")],
  ["JSON with \\u of every character", jsonUnicode((digits) => digits)],
  ["JSON with \\u of every character, upper-case digits", jsonUnicode((digits) => digits.toUpperCase())],
  ["JSON with \\u of every second character", everySecond(jsonUnicode((digits) => digits))],
  ["JSON in a URL", (secret) => encodeURIComponent(json(secret))],
  ["base64", (secret) => bytesOf(secret).toString("base64")],
  ["base64 at the first byte", base64At(0, "base64")],
  ["base64 at the second byte", base64At(1, "base64")],
  ["base64 at the third byte", base64At(2, "base64")],
  ["base64 in a URL", (secret) => encodeURIComponent(bytesOf(secret).toString("base64"))],
  ["base64 in lines", wrapped(76, "\r\n", (secret) => bytesOf(secret).toString("base64"))],
  ["base64url", (secret) => bytesOf(secret).toString("base64url")],
  ["base64url at the second byte", base64At(1, "base64url")],
  ["base64url at the third byte", base64At(2, "base64url")],
  ["hexadecimal", (secret) => bytesOf(secret).toString("hex")],
  ["hexadecimal in upper case", (secret) => bytesOf(secret).toString("hex").toUpperCase()],
  ["HTML with names", htmlNames],
  ["HTML with decimal numbers", htmlNumbers(String)],
  ["HTML with hexadecimal numbers", htmlNumbers((codePoint) => `x${codePoint.toString(16)}`)],
  [
    "HTML with hexadecimal numbers in upper case",
    htmlNumbers((codePoint) => `X${codePoint.toString(16).toUpperCase()}`)
  ],
  ["HTML in HTML", (secret) => htmlNames(htmlNames(secret))],
  ["UTF-16 LE as hexadecimal", (secret) => utf16le(secret).toString("hex")],
  ["UTF-16 BE as hexadecimal", (secret) => utf16be(secret).toString("hex")],
  ["UTF-16 LE as base64", base64At(0, "base64", utf16le)],
  ["UTF-16 BE as base64", base64At(1, "base64", utf16be)]
]
