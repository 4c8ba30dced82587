/** Changes that no test can notice, or that none needs to, with the reason. */
export interface Accepted {
  readonly file: string
  /** As the report writes them. */
  readonly mutants: ReadonlyArray<string>
  readonly because: string
}

export const accepted: ReadonlyArray<Accepted> = [
  {
    file: "packages/gateway-server/src/http/Access.ts",
    mutants: [
      "host !== undefined -> host === undefined",
      "lines === 1 -> lines !== 1",
      'request.url?.startsWith("/") === true -> request.url?.startsWith("/") !== true',
      "true -> false",
      "isOnlyHost && admitted.has(host) -> false",
      "refusal !== undefined || !isOnlyHost -> true",
      "admitted.size === rememberedHosts -> true",
      "admitted.size === rememberedHosts -> false",
      "admitted.size === rememberedHosts -> admitted.size !== rememberedHosts",
      "admitted.clear() -> nothing",
      "admitted.add(host) -> nothing"
    ],
    because: "Saves the work of reading an admitted host again, or memory; the decision is the same"
  },
  {
    file: "packages/gateway-server/src/http/Access.ts",
    mutants: ["index < rawHeaders.length -> index <= rawHeaders.length"],
    because: "Behind the last header there is none"
  },
  {
    file: "packages/gateway-server/src/http/Access.ts",
    mutants: ['"base64url" -> ""'],
    because: "Any text that nobody else can compute will do for a digest"
  },
  {
    file: "packages/oauth-flows/src/mask/DecodedText.ts",
    mutants: [
      "canonicalBytes[bytes[at] ?? 0] ?? 0 -> canonicalBytes[bytes[at] ?? 0]",
      "bytes[at] ?? 0 -> bytes[at]",
      "starts[origins[start] ?? 0] ?? 0 -> starts[origins[start] ?? 0]",
      "origins[start] ?? 0 -> origins[start]",
      "ends[origins[end - 1] ?? 0] ?? 0 -> ends[origins[end - 1] ?? 0]",
      "origins[end - 1] ?? 0 -> origins[end - 1]",
      "encoding.digits[byte] ?? none -> encoding.digits[byte]",
      "plain.bytes[at] ?? 0 -> plain.bytes[at]",
      "plain.starts[at] ?? 0 -> plain.starts[at]",
      "plain.ends[at] ?? 0 -> plain.ends[at]",
      "digits[at] ?? none -> digits[at]",
      "digits[at + 1] ?? none -> digits[at + 1]",
      "canonicalBytes[((digit << ofNext) | (next >> (bitsPerDigit - ofNext))) & 0xff] ?? 0 -> canonicalBytes[((digit << ofNext) | (next >> (bitsPerDigit - ofNext))) & 0xff]",
      "ends[withPadding(bytes, (origins[end - 1] ?? 0) + 2) - 1] ?? 0 -> ends[withPadding(bytes, (origins[end - 1] ?? 0) + 2) - 1]"
    ],
    because: "The index is always within the array; the other value is for the type checker"
  },
  {
    file: "packages/oauth-flows/src/mask/DecodedText.ts",
    mutants: [
      "at < bytes.length -> at <= bytes.length",
      "at < plain.bytes.length -> at <= plain.bytes.length",
      "at <= digits.length -> at < digits.length",
      "at < digits.length -> at <= digits.length",
      "at + 1 < digits.length -> at + 1 <= digits.length"
    ],
    because: "Behind the last byte there is none, and what is read or written there is left out"
  },
  {
    file: "packages/oauth-flows/src/mask/DecodedText.ts",
    mutants: ["digits.length + 1 -> digits.length - 1"],
    because: "Fewer bytes are decoded than there are digits: both sizes are enough"
  },
  {
    file: "packages/oauth-flows/src/mask/DecodedText.ts",
    mutants: ["value < 0 -> false"],
    because: "In an array of bytes -1 is 255, which is `none`"
  },
  {
    file: "packages/oauth-flows/src/mask/DecodedText.ts",
    mutants: ["!plain.bytes.some(isSpace) -> false"],
    because: "Saves a copy; the result is the same"
  },
  {
    file: "packages/oauth-flows/src/mask/Escapes.ts",
    mutants: [
      "bytes[at] ?? 0 -> bytes[at]",
      "from.starts[at] ?? 0 -> from.starts[at]",
      "from.ends[at] ?? 0 -> from.ends[at]",
      "from.ends[at + escape.length - 1] ?? 0 -> from.ends[at + escape.length - 1]",
      "bytes[after] ?? 0 -> bytes[after]",
      'name?.toLowerCase() ?? "" -> name?.toLowerCase()'
    ],
    because:
      "The index is always within the array, or the other value is worth the same; it is for the type checker"
  },
  {
    file: "packages/oauth-flows/src/mask/Escapes.ts",
    mutants: [
      "![percent, ampersand, backslash].some((sign) => bytes.includes(sign)) -> false",
      "codePoint < 0x80 -> false",
      "unit < 0xd800 || unit > 0xdbff -> false",
      "unit < 0xd800 || unit > 0xdbff -> unit < 0xd800 && unit > 0xdbff"
    ],
    because: "Saves work; the result is the same"
  },
  {
    file: "packages/oauth-flows/src/mask/Escapes.ts",
    mutants: [
      "bytes[digits] === 0x32 && bytes[digits + 1] === 0x35 && hexNumber(bytes, digits + 2, 2) !== undefined -> false"
    ],
    because: "What was escaped twice is found by the next pass, too"
  },
  {
    file: "packages/oauth-flows/src/mask/Escapes.ts",
    mutants: ["byte === undefined -> false"],
    because: "`undefined` is neither greater nor smaller than a number"
  },
  {
    file: "packages/oauth-flows/src/mask/Escapes.ts",
    mutants: ['"utf8" -> ""'],
    because: "Node takes UTF-8 for an encoding without a name"
  },
  {
    file: "packages/oauth-flows/src/mask/LocatedBytes.ts",
    mutants: [
      "at < bytes.length -> at <= bytes.length",
      "character.codePointAt(0) ?? 0 -> character.codePointAt(0)"
    ],
    because: "Behind the last byte there is none; a character has a code point"
  },
  {
    file: "packages/oauth-flows/src/mask/LocatedBytes.ts",
    mutants: ['"utf8" -> ""'],
    because: "Node takes UTF-8 for an encoding without a name"
  },
  {
    file: "packages/oauth-flows/src/mask/LocatedBytes.ts",
    mutants: ["bytes.length === text.length -> false"],
    because: "Saves work for a text of ASCII; the result is the same"
  },
  {
    file: "packages/oauth-flows/src/mask/SecretMask.ts",
    mutants: ['"utf8" -> ""'],
    because: "Node takes UTF-8 for an encoding without a name"
  },
  {
    file: "packages/oauth-flows/src/mask/SecretMask.ts",
    mutants: [
      "places[index - 1]?.end ?? 0 -> places[index - 1]?.end",
      "places.at(-1)?.end ?? 0 -> places.at(-1)?.end"
    ],
    because: "`slice` takes `undefined` for 0"
  },
  {
    file: "packages/oauth-flows/src/mask/SecretMask.ts",
    mutants: ["isAscii -> false", "/\\s/.test(part) -> true", "readings.slice(0, 1) -> readings"],
    because: "Saves work; what is searched for in addition is the same"
  },
  {
    file: "packages/oauth-flows/src/mask/SecretParts.ts",
    mutants: [
      "at < text.length -> at <= text.length",
      "at < bytes.length -> at <= bytes.length",
      "bytes[at] ?? 0 -> bytes[at]",
      "mayHave[hash >>> 16] ?? 0 -> mayHave[hash >>> 16]",
      "[0, 0] -> []"
    ],
    because: "Behind the last byte there is none; `undefined` counts as 0 here"
  },
  {
    file: "packages/oauth-flows/src/mask/SecretParts.ts",
    mutants: [
      "count === 0 -> false",
      "((mayHave[hash >>> 16] ?? 0) & (1 << ((hash >>> 13) & 7))) === 0 -> false",
      "mayHave[indexOf(hash)] === 1 && texts.has(text.slice(start, start + length)) -> mayHave[indexOf(hash)] === 1 || texts.has(text.slice(start, start + length))",
      "sum + length - runLength -> sum + length + runLength",
      "[...secrets].filter(({ length }) => length >= runLength) -> [...secrets]",
      "secret.length < runLength -> false"
    ],
    because: "Saves work or memory; the result is the same"
  },
  {
    file: "packages/oauth-flows/src/mask/SecretSearch.ts",
    mutants: [
      "at < reading.bytes.length -> at <= reading.bytes.length",
      "reading.bytes[at] ?? 0 -> reading.bytes[at]"
    ],
    because: "Behind the last byte there is none; `undefined` counts as 0 here"
  },
  {
    file: "packages/oauth-flows/src/mask/SecretSearch.ts",
    mutants: [
      "at < 3 || mayBegin[filterIndex(word)] === 0 || seen.has(word) -> false",
      "at < 3 || mayBegin[filterIndex(word)] === 0 || seen.has(word) -> at < 3 || mayBegin[filterIndex(word)] === 0 && seen.has(word)",
      "at < 3 || mayBegin[filterIndex(word)] === 0 -> at < 3 && mayBegin[filterIndex(word)] === 0",
      "seen.add(word) -> nothing"
    ],
    because: "Saves work; places that are found twice are merged"
  },
  {
    file: "packages/oauth-flows/src/authorization/AuthorizationPages.ts",
    mutants: [
      'parameters?.get("error") ?? undefined -> parameters?.get("error")',
      'parameters?.get("error_description") ?? undefined -> parameters?.get("error_description")',
      "error === undefined -> false",
      "description === undefined -> false"
    ],
    because: "What is `null` or `undefined` is no word of a refusal; the difference is for the type checker"
  },
  {
    file: "packages/oauth-flows/src/authorization/AuthorizationPages.ts",
    mutants: ["location === undefined -> false"],
    because: 'The text "undefined" is a path without parameters'
  },
  {
    file: "packages/oauth-flows/src/client/PrivateKey.ts",
    mutants: ["known !== undefined -> false", "parsed.set(config, key) -> nothing"],
    because: "Saves the work of reading a key for every request; the result is the same"
  },
  {
    file: "packages/oauth-flows/src/discovery/AuthorizationServerMetadata.ts",
    mutants: [
      "yield* Effect.forEach(broken, ({ problem }) => Effect.logWarning(`${withoutQuery(url)}: ${problem}. It is not used`) ) -> nothing"
    ],
    because: "Only writes to the log"
  },
  {
    file: "packages/oauth-flows/src/endpoint/Circuit.ts",
    mutants: ["Schedule.setInputType<Rejected>() -> (self) => self"],
    because: "Says to the type checker what the input is"
  },
  {
    file: "packages/oauth-flows/src/endpoint/Retry.ts",
    mutants: ["Schedule.setInputType<OAuthErrorReason>() -> (self) => self"],
    because: "Says to the type checker what the input is"
  },
  {
    file: "packages/oauth-flows/src/endpoint/Retry.ts",
    mutants: [
      "Schedule.tap(({ duration, input }) => Effect.logWarning(`${input.message}. Next attempt in ${Duration.toSeconds(duration -> (self) => self"
    ],
    because: "Only writes to the log"
  },
  {
    file: "packages/token-cache/src/SingleFlight.ts",
    mutants: ['decision._tag === "Hit" -> false'],
    because: "Saves a span for a token from memory; the result is the same"
  },
  {
    file: "packages/token-cache/src/acquisition/LateWrites.ts",
    mutants: ['Effect.andThen(Effect.logInfo("The token store has all tokens again")) -> (self) => self'],
    because: "Only writes to the log"
  },
  {
    file: "packages/token-cache/src/acquisition/RefreshLock.ts",
    mutants: ["Effect.asVoid -> (self) => self"],
    because: "Nobody looks at the value"
  },
  {
    file: "packages/token-cache/src/acquisition/StoreAccess.ts",
    mutants: [
      "Effect.tapError(({ problem }) => Effect.logDebug(`The token store could not be read: ${problem}`)) -> (self) => self"
    ],
    because: "Only writes to the log"
  },
  {
    file: "packages/token-cache/src/file/FileTokenStore.ts",
    mutants: ["Effect.asVoid -> (self) => self"],
    because: "Nobody looks at the value"
  },
  {
    file: "packages/transport-injection/src/EndedGrants.ts",
    mutants: ['"Again" -> ""'],
    because: "Callers ask for the two other outcomes only; the text is for those who read the code"
  },
  {
    file: "packages/transport-injection/src/EndedGrants.ts",
    mutants: [
      "grants.get(tokenOwnerKey(request))?.uselessUntil ?? 0 -> grants.get(tokenOwnerKey(request))?.uselessUntil"
    ],
    because: "No time is before `undefined`, as none is before 0"
  },
  {
    file: "packages/transport-injection/src/EndedGrants.ts",
    mutants: ["grants.size === 0 -> false"],
    because: "Saves the work of a key for every request; the result is the same"
  },
  {
    file: "packages/transport-injection/src/EntryInjection.ts",
    mutants: ["cached === undefined -> false"],
    because: "There is always a token here: an entry that needs none was returned before"
  },
  {
    file: "packages/transport-injection/src/ForcedRefreshes.ts",
    mutants: ["refreshes.size === 0 -> false"],
    because: "Saves the work of a key for every request; the result is the same"
  },
  {
    file: "packages/transport-injection/src/ServerEntry.ts",
    mutants: ["isJsonObject(input) -> true"],
    because: "What is no object was refused before"
  },
  {
    file: "packages/transport-injection/src/ServerEntry.ts",
    mutants: ['config.command ?? "" -> config.command'],
    because: "An entry without a URL has a command, or it was refused before"
  },
  {
    file: "packages/transport-injection/src/ServerEntry.ts",
    mutants: ["userAgent === undefined -> false"],
    because: 'The text "undefined" would be a user agent without a problem'
  },
  {
    file: "packages/transport-injection/src/ServerEntry.ts",
    mutants: ['"2.0" -> ""'],
    because: 'The rule asks only whether the version is "2.1"'
  }
]
