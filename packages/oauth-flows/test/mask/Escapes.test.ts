import { assert, describe, it } from "@effect/vitest"
import { readingsOf } from "../../src/mask/DecodedText.ts"
import { unescapePasses } from "../../src/mask/Escapes.ts"
import { locate } from "../../src/mask/LocatedBytes.ts"

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8")

/** What is left of a text after the last pass. */
const unescaped = (text: string) => textOf(unescapePasses(locate(text)).at(-1)?.bytes ?? new Uint8Array())

const passesOf = (text: string) => unescapePasses(locate(text)).map(({ bytes }) => textOf(bytes))

/** The names of HTML for the characters of ASCII (HTML, "Named character references"). */
const names: ReadonlyArray<readonly [name: string, character: string]> = [
  ["Tab", "\t"],
  ["NewLine", "\n"],
  ["nbsp", " "],
  ["excl", "!"],
  ["quot", '"'],
  ["QUOT", '"'],
  ["num", "#"],
  ["dollar", "$"],
  ["percnt", "%"],
  ["amp", "&"],
  ["AMP", "&"],
  ["apos", "'"],
  ["lpar", "("],
  ["rpar", ")"],
  ["ast", "*"],
  ["midast", "*"],
  ["plus", "+"],
  ["comma", ","],
  ["period", "."],
  ["sol", "/"],
  ["colon", ":"],
  ["semi", ";"],
  ["lt", "<"],
  ["LT", "<"],
  ["equals", "="],
  ["gt", ">"],
  ["GT", ">"],
  ["quest", "?"],
  ["commat", "@"],
  ["lsqb", "["],
  ["lbrack", "["],
  ["bsol", "\\"],
  ["rsqb", "]"],
  ["rbrack", "]"],
  ["Hat", "^"],
  ["lowbar", "_"],
  ["UnderBar", "_"],
  ["grave", "`"],
  ["lcub", "{"],
  ["lbrace", "{"],
  ["verbar", "|"],
  ["vert", "|"],
  ["rcub", "}"],
  ["rbrace", "}"]
]

describe("an escape in a text", () => {
  it.each(names)("the entity &%s; is the character %j", (name, character) => {
    assert.strictEqual(passesOf(`a&${name};b`)[1], `a${character}b`)
  })

  it.each([
    // Percent (RFC 3986 §2.1), also escaped again.
    ["a%41b", "aAb"],
    ["%e2%82%ac", "€"],
    ["%2541", "A"],
    ["%25252541", "A"],
    ["%2525", "%"],
    ["%25", "%"],
    ["%254x", "%4x"],
    ["%zz%4", "%zz%4"],
    ["100%", "100%"],
    // JSON (RFC 8259 §7), however often the backslashes were doubled.
    ["a\\u0041b", "aAb"],
    ["a\\U0041b", "aAb"],
    ["a\\\\u0041b", "aAb"],
    ["a\\u007fb", "a\u007fb"],
    ["a\\u0080b", "a\u0080b"],
    ["\\u20acx", "€x"],
    ["\\ud7ffx", "\ud7ffx"],
    ["\\ue000x", "\ue000x"],
    ["\\ud800\\udc00x", "\u{10000}x"],
    ["\\uD83D\\uDE00x", "\u{1f600}x"],
    ["\\\\ud83d\\\\ude00x", "\u{1f600}x"],
    ["\\udbff\\udfffx", "\u{10ffff}x"],
    ["\\ud83dx", "\ufffdx"],
    ["\\ud83due00x", "\ufffdue00x"],
    ["\\ud83d\\u0041x", "\ufffdAx"],
    ["\\ud83d\\ue000x", "\ufffd\ue000x"],
    ["\\ud83d\\udbffx", "\ufffd\ufffdx"],
    ["\\ude00x", "\ufffdx"],
    ["\\u{41}b", "Ab"],
    ["\\u{1f600}b", "\u{1f600}b"],
    ["\\u{110000}b", "\ufffdb"],
    ["\\u{10ffff}b", "\u{10ffff}b"],
    ["\\u{0000041}b", "u{0000041}b"],
    ["\\u{}b", "u{}b"],
    ["\\x41b", "Ab"],
    ["\\x{41}b", "x{41}b"],
    ["\\xzb", "xzb"],
    ["\\u00zb", "u00zb"],
    ["a\\nb\\rc\\td\\be\\ff\\vg", "a b c d e f g"],
    ['\\"\\/\\\\\\-', '"/-'],
    ["\\a\\9\\_", "a9_"],
    ["a\\%41", "aA"],
    ["a\\&amp;b", "a&b"],
    ["a\\", "a"],
    // HTML, with a semicolon or without one.
    ["&#65;b", "Ab"],
    ["&#65 b", "A b"],
    ["&#0000000065;b", "Ab"],
    ["&#x41;b", "Ab"],
    ["&#X41;b", "Ab"],
    ["&#x000000041;b", "Ab"],
    ["&#8364;", "€"],
    ["&#x7f;&#x80;", "\u007f\u0080"],
    ["&#x10ffff;", "\u{10ffff}"],
    ["&#x110000;", "\ufffd"],
    ["&copy;b", "&copy;b"],
    ["&lt b", "&lt b"],
    ["&#;&;&", "&#;&;&"]
  ])("%s reads %j", (text, expected) => {
    assert.strictEqual(unescaped(text), expected)
  })

  it("a text without escapes has one reading, and each pass takes out one level of them", () => {
    assert.deepStrictEqual(passesOf("plain"), ["plain"])
    assert.deepStrictEqual(passesOf("100% & more"), ["100% & more"])
    assert.deepStrictEqual(passesOf("&amp;amp;amp;lt;"), [
      "&amp;amp;amp;lt;",
      "&amp;amp;lt;",
      "&amp;lt;",
      "&lt;",
      "<"
    ])
    assert.strictEqual(passesOf(`&${"amp;".repeat(9)}`).length, 5)
  })

  it("what is found after the escapes stands where the escapes stand", () => {
    const last = unescapePasses(locate("ab%20\\u00e9&lt;%25\ud83d\ude00c")).at(-1)
    assert.deepStrictEqual([...(last?.starts ?? [])], [0, 1, 2, 5, 5, 11, 15, 18, 18, 18, 18, 20])
    assert.deepStrictEqual([...(last?.ends ?? [])], [1, 2, 5, 11, 11, 15, 18, 20, 20, 20, 20, 21])
  })
})

describe("a reading of a text", () => {
  const readings = (text: string) => readingsOf(text).map((reading) => reading.text)

  it("white space is one space, controls are left out, and letters are small", () => {
    assert.deepStrictEqual(readings("A\t\n\v\f\r b\u0000\u0008\u000e\u001f\u007fC~!"), ["a bc~!"])
    assert.deepStrictEqual(readings("@AZ[`az{"), ["@az[`az{"])
  })

  it("hexadecimal and base64 are decoded from every position, over line ends, and their padding belongs to them", () => {
    const hex = Buffer.from("secret!").toString("hex")
    assert.isTrue(
      readings(`x ${hex.slice(0, 5)}\n ${hex.slice(5)} x`).some((text) => text.includes("secret!"))
    )
    for (const secret of ["secret12", "secret1", "secret123"]) {
      const encoded = Buffer.from(secret).toString("base64")
      const text = `<${encoded}>`
      const places = readingsOf(text).flatMap((reading) => {
        const at = reading.text.indexOf(secret)
        return at === -1 ? [] : [reading.placeOf(at, at + secret.length)]
      })
      assert.deepStrictEqual(places[0], { start: 1, end: 1 + encoded.length })
    }
  })

  it("digits that are too few for a secret are not decoded, and what is not decoded separates", () => {
    assert.deepStrictEqual(readings("4142."), ["4142."])
    assert.strictEqual(readings("414243.").length, 1 + 4, "six digits may be base64")
    assert.strictEqual(readings("41424344.").length, 1 + 2 + 4, "eight may be hexadecimal, too")
    const [, ...decoded] = readings("41424344--45464748")
    assert.isTrue(decoded.some((text) => text.includes("abcd\u0001efgh")))
    assert.isFalse(decoded.some((text) => text.includes("abcdefgh")))
  })
})

describe("the bytes of a text", () => {
  it("each byte of a character stands where the character stands", () => {
    const { bytes, ends, starts } = locate("a\u007f\u0080\u07ff\u0800\uffff\u{10000}b\ud800c")
    assert.strictEqual(textOf(bytes), "a\u007f\u0080\u07ff\u0800\uffff\u{10000}b\ufffdc")
    assert.deepStrictEqual([...starts], [0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 6, 8, 9, 9, 9, 10])
    assert.deepStrictEqual([...ends], [1, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 8, 8, 8, 8, 9, 10, 10, 10, 11])
  })
})
