/** The words of a name in any spelling: `apiKey`, `API_KEY`, `x-api-key`. */
const wordsOf = (name: string): ReadonlyArray<string> =>
  name
    .replaceAll(/([a-z\d])([A-Z])/g, "$1 $2")
    .split(/[^A-Za-z\d]+/)
    .filter((word) => word !== "")
    .map((word) => word.toLowerCase())

const secretWords: ReadonlySet<string> = new Set([
  "auth",
  "bearer",
  "cookie",
  "cookies",
  "cred",
  "creds",
  "jwt",
  "key",
  "keys",
  "pass",
  "pat",
  "pw",
  "pwd",
  "sig",
  "signature",
  "tokens",
  "secrets",
  "passwords"
])

/** Also at the end of a longer word: `PGPASSWORD`, `authtoken`. */
const secretEnding =
  /(?:token|secret|password|passwd|passphrase|passcode|apikey|accesskey|privatekey|authkey|secretkey|authorization|credentials?)$/

/** What such a name speaks of if it ends so: `TOKEN_URL`, `KEY_FILE`, `MAX_TOKENS`. */
const placeWords: ReadonlySet<string> = new Set([
  "url",
  "uri",
  "endpoint",
  "host",
  "file",
  "sock",
  "socket",
  "path",
  "dir",
  "directory"
])
const measureWords: ReadonlySet<string> = new Set([
  "max",
  "min",
  "limit",
  "count",
  "size",
  "length",
  "ttl",
  "expiry",
  "timeout",
  "budget",
  "lifetime",
  "seconds",
  "ms"
])
const choiceWords: ReadonlySet<string> = new Set([
  "auth",
  "type",
  "mode",
  "method",
  "scheme",
  "provider",
  "strategy",
  "algorithm",
  "format",
  "prefix",
  "header",
  "name"
])

/** Whether what stands under a name is a secret. */
export const isSecret = (name: string, value: string): boolean => {
  const words = wordsOf(name)
  if (!words.some((word) => secretWords.has(word) || secretEnding.test(word))) return false
  if (/^(?:true|false|yes|no|on|off|null|none)?$/i.test(value.trim())) return false
  const last = words.at(-1) ?? ""
  if (placeWords.has(last)) return !/[/\\~]|^\.|^[\w-]+\.[a-z]{2,5}$/.test(value)
  if (words.some((word) => measureWords.has(word))) return !/^[\d.]+[a-z]{0,2}$/i.test(value)
  return !(choiceWords.has(last) && /^[A-Za-z]{1,12}(?:[-_][A-Za-z0-9]{1,6})?$/.test(value))
}

/** Beginnings and shapes that well-known services give their tokens, and private keys. */
const tokenShape =
  /\b(?:gh[opsur]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{12,}|sk-[\w-]{12,}|(?:sk|rk|pk)_(?:live|test)_\w{8,}|xox[abeprs]-[\w-]{8,}|eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*|AKIA[A-Z\d]{12,}|AIza[\w-]{20,}|npm_\w{20,}|pypi-[\w-]{16,}|hf_\w{16,}|ntn_\w{16,}|lin_api_\w{16,}|figd_[\w-]{16,}|shp(?:at|ca|pa|ss)_\w{16,}|sbp_\w{16,}|dop_v1_\w{16,}|pat[A-Za-z\d]{14}\.\w{16,}|fc-[\da-f]{24,}|tvly-[\w-]{12,}|BSA[\w-]{20,})/g

/** The parts of a text that look like tokens wherever they stand. */
export const tokensIn = (text: string): ReadonlyArray<string> => [
  ...[...text.matchAll(tokenShape)].map(([token]) => token),
  ...[...text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*/g)].map(([key]) => key)
]

const plainParameters =
  /^(?:project(?:[-_]?(?:ref|id))?|region|version|api[-_]?version|features?|tools?(?:ets?)?|read[-_]?only|tenant|org(?:ani[sz]ation)?|workspace|lang(?:uage)?|locale|env(?:ironment)?|mode|format|transport)$/i

/** Whether a query parameter may be shown: what a person chose among words, not what a server made up. */
export const isPlainParameter = (name: string, value: string): boolean =>
  !isSecret(name, value) &&
  (plainParameters.test(name) || value === "" || /^(?:\d{1,4}|[a-z]{1,12}(?:,[a-z]{1,12})*)$/.test(value))
