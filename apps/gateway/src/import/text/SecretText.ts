import { isPlainParameter, isSecret, tokensIn } from "./SecretNames.ts"
import { translateReferences, type ReferencePlace } from "./ForeignReferences.ts"
import { variableNames } from "./Variables.ts"

/** Makes the texts of one server fit to be written: no secrets, and references as the gateway knows them. */
export interface SecretText {
  /** What stands under a name, such as a header or a variable. */
  readonly under: (name: string, text: string, options?: UnderOptions) => string
  /** What is secret for certain. */
  readonly secret: (name: string, text: string) => string
  /** Any other text. */
  readonly plain: (name: string, text: string) => string
  /** The arguments of a command. */
  readonly args: (args: ReadonlyArray<string>) => ReadonlyArray<string>
}

export interface UnderOptions {
  /** What the variable of a secret may be called. */
  readonly names?: ReadonlyArray<string> | undefined
  /** Whether it is a secret, whatever its name says. */
  readonly isSecret?: boolean | undefined
}

/** The place of a text, without what depends on the text. */
export type ServerPlace = Omit<ReferencePlace, "names" | "isSecret">

export const makeSecretText = (place: ServerPlace): SecretText => {
  const { server, variables } = place

  const hide = (text: string, names: ReadonlyArray<string>): string => {
    const [, scheme = "", rest = text] =
      /^(\s*(?:Bearer|Basic|Token|Bot|ApiKey|DPoP)\s+)([\s\S]+)$/i.exec(text) ?? []
    const parts = rest.split(reference)
    return (
      scheme +
      parts
        .map((part) =>
          isReference(part) || !/[\p{L}\d]/u.test(part) || (parts.length > 1 && part.length < 4)
            ? part
            : variables.ours(`secret\0${names[0]}\0${part}`, names, server, part)
        )
        .join("")
    )
  }

  const hideInside = (name: string, text: string, isScript = false): string => {
    const namesOf = (inner: string) => variableNames(server, inner)
    const hideIf = (inner: string, value: string, condition = isSecret(inner, value)) =>
      condition ? hide(value, namesOf(inner)) : value
    let safe = text
    const cut = (pattern: RegExp, write: (groups: ReadonlyArray<string>) => string) => {
      safe = safe.replace(pattern, (...found) => write(found.slice(0, -2).map((part) => String(part ?? ""))))
    }
    cut(
      jsonMember,
      ([, before = "", inner = "", between = "", value = "", after = ""]) =>
        `${before}${inner}${between}${hideIf(inner, value)}${after}`
    )
    cut(
      userInfo(safe),
      ([, scheme = "", user = "", password = ""]) =>
        `${scheme}${user}:${hide(password, namesOf(/^[A-Z_]+$/.test(name) ? `${name}_PASSWORD` : "password"))}@`
    )
    cut(userOnly, ([, scheme = "", user = ""]) => `${scheme}${hideIf("user", user, user !== "git")}@`)
    cut(query, ([whole = "", before = "", inner = "", value = ""]) =>
      isUrlAround(safe, whole)
        ? `${before}${inner}=${hideIf(inner, value, !isPlainParameter(inner, value))}`
        : whole
    )
    cut(
      schemeAndToken,
      ([, scheme = "", value = ""]) =>
        scheme +
        (/^(?:token|tokens|auth|authentication|scheme)$/.test(value) ? value : hide(value, namesOf("token")))
    )
    if (!isScript) {
      cut(
        wholeAssignment,
        ([, before = "", inner = "", between = "", value = ""]) =>
          before +
          inner +
          between +
          (isSecret(inner, value) ? hide(value, namesOf(inner)) : hideInside(inner, value))
      )
    }
    cut(
      assignment,
      ([, before = "", inner = "", between = "", value = ""]) =>
        `${before}${inner}${between}${hideIf(inner, value)}`
    )
    cut(
      flagAndValue,
      ([, before = "", inner = "", between = "", value = ""]) =>
        `${before}${inner}${between}${hideIf(inner, value)}`
    )
    for (const token of tokensIn(safe)) safe = safe.replaceAll(token, hide(token, namesOf("token")))
    return safe
  }

  /** Nobody can say of a text so long what in it is secret. */
  const hideLong = (name: string, text: string, names: ReadonlyArray<string>): string => {
    const ours = variables.ours(`secret\0${names[0]}\0${text}`, names, server, text)
    place.remark(`${name}: ${text.length} characters became ${ours}`)
    return ours
  }

  const under = (name: string, text: string, options: UnderOptions = {}): string => {
    if (text.length > longestText) return hideLong(name, text, options.names ?? variableNames(server, name))
    const { isSecret: certain = isSecret(name, text), names = variableNames(server, name) } = options
    const translated = translateReferences(text, { ...place, names, isSecret: certain })
    return certain && text.trim() !== "" ? hide(translated, names) : hideInside(name, translated)
  }
  const plain = (name: string, text: string, isScript = false) =>
    text.length > longestText
      ? hideLong(name, text, variableNames(server, name))
      : hideInside(name, translateReferences(text, { ...place, names: [], isSecret: false }), isScript)

  return {
    under,
    plain: (name, text) => plain(name, text),
    secret: (name, text) => under(name, text, { isSecret: true }),
    args: (args) =>
      args.map((arg, index) => {
        const previous = args[index - 1] ?? ""
        if (/^-[a-z]*c$/.test(previous) && /\s/.test(arg)) return plain("argument", arg, true)
        const named = /^--?([A-Za-z][\w.-]*)$/.exec(previous)?.[1]
        if (named !== undefined && !arg.startsWith("-") && !passesOn.has(named)) return under(named, arg)
        const header = /^(?:-H|--headers?)$/.test(args[index - 2] ?? "") && /^[\w-]+$/.test(previous)
        return header ? under(previous, arg) : plain("argument", arg)
      })
  }
}

/** Characters of a text that is looked through. The time that takes grows with the square of them. */
const longestText = 4096

/** Flags whose value says itself what it is. */
const passesOn: ReadonlySet<string> = new Set(["e", "E", "env", "H", "header", "headers"])

const reference = /(\$\{(?:env|file):[^}]*\})/

const isReference = (text: string): boolean => /^\$\{(?:env|file):[^}]*\}$/.test(text)

/** `"name": "value"`, also with escaped quotes. */
const jsonMember =
  /(\\{0,16}["'])([\w.-]+)(\\{0,16}["']\s*:\s*\\{0,16}["'])((?:(?!\\{0,16}["'])[\s\S])+)(\\{0,16}["'])/g

/** `scheme://user:password@`. A password of a database URL may hold what a URL must not. */
const userInfo = (text: string): RegExp =>
  /^[a-z][a-z\d+.-]*:\/\/[^\s]*$/i.test(text) && !/^(?:git\+)?https?:/i.test(text)
    ? /^([a-z][a-z\d+.-]*:\/\/)([^\s:/?#@]*):(\S+)@/gi
    : /([a-z][a-z\d+.-]{0,30}:\/\/)([^\s:/?#@]*):([^\s/?#]+)@/gi

const userOnly = /((?:git\+)?https?:\/\/)([^\s:/?#@${}]+)@/gi

const query = /([?&])([\w.~[\]-]+)=([^&#\s"']+)/g

const isUrlAround = (text: string, part: string): boolean => {
  const before = text.slice(0, text.indexOf(part))
  return /:\/\/\S*$/.test(before)
}

const schemeAndToken = /\b((?:Bearer|Basic)\s+)([^\s"',;\\]+)/gi

/** `--name=value` or `Name: value` as the whole text. */
const wholeAssignment = /^(-{0,2})([A-Za-z][\w.-]*)(=|:(?!\/\/)\s*)([\s\S]+)$/g

const assignment = /(^|[\s;,&"'])(?!\$)((?:--)?[A-Za-z][\w.-]*)(=["']?)([^;&\s"']+)/g

/** `--name value` inside of a longer text, as in a script. */
const flagAndValue = /(\s)(--?[A-Za-z][\w-]*)(\s+["']?)(?!-)([^\s"']+)/g
