import { resolve } from "node:path"
import { variableName, variableNames, type Variables } from "./Variables.ts"

/** Where a text stands, for the references in it. */
export interface ReferencePlace {
  readonly server: string
  /** The file it stands in, and its folder. */
  readonly file: string
  readonly directory: string
  readonly variables: Variables
  /** Whether a file that a reference names can be read. */
  readonly isReadable: (path: string) => boolean
  /** What a placeholder is called. */
  readonly names: ReadonlyArray<string>
  readonly isSecret: boolean
  readonly remark: (text: string) => void
}

/** How other programs write references, in the order in which they are looked for. */
const forms = [
  /\$\{\{\s*(?<template>[^{}]+?)\s*\}\}/,
  /\$\{(?<braces>[^{}]*)\}/,
  /\{\{\s*(?<mustache>[^{}]+?)\s*\}\}/,
  /\{(?<kind>env|file):(?<kindName>[^{}]+)\}/,
  /\$env:(?<shell>[A-Za-z_]\w*)/,
  /(?<=^|[\s/:=@,;"'(])\$(?<bare>[A-Z_][A-Z\d_]+)(?![\w$])/,
  /^\$(?<whole>[A-Za-z_]\w*)$/,
  /(?<=^|Bearer |=)%(?<windows>[A-Za-z_][A-Za-z\d_]{2,})%(?=$|[\\/])/,
  /(?<=^|[\s=:])<(?<placeholder>[A-Za-z][\w .-]*)>(?=$|[\s])/,
  /<(?<capitals>[A-Z][A-Z\d_-]{2,})>/
]

const form = new RegExp(forms.map(({ source }) => source).join("|"), "g")

/** The names that a text refers to, whatever is read from them later. */
export const referencedNames = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(form)].flatMap(({ groups = {} }) => {
    const { bare, braces, kind, kindName, shell, whole, windows } = groups
    const inBraces =
      braces === undefined ? undefined : /^(?:env:)?([A-Za-z_]\w*)(?!\w*:[^-=?+])/i.exec(braces)?.[1]
    const name = inBraces ?? (kind === "env" ? kindName : undefined) ?? shell ?? bare ?? whole ?? windows
    return name === undefined ? [] : [name]
  })

/** A text with every reference as `${env:NAME}` or `${file:/path}`. */
export const translateReferences = (text: string, place: ReferencePlace): string =>
  text.replace(form, (...match) => {
    const groups: Readonly<Record<string, string | undefined>> = match.at(-1)
    const whole: string = match[0]
    const { bare, braces, capitals, kind, kindName, mustache, placeholder, shell, template, windows } = groups
    if (braces !== undefined) return inBraces(braces, whole, place)
    if (kind === "file") return fromFile(kindName ?? "", place)
    const named = (kind === "env" ? kindName : undefined) ?? shell ?? bare ?? groups["whole"] ?? windows
    if (named !== undefined) return fromName(named, whole, place)
    const slot = template ?? mustache
    if (slot !== undefined) {
      const name = variableName(slot.split(".").at(-1) ?? slot)
      return place.variables.ours(`template\0${place.file}\0${slot}`, [name], place.server)
    }
    const text = placeholder ?? capitals ?? ""
    const names = place.names.length > 0 ? place.names : variableNames(place.server, variableName(text))
    return place.variables.ours(`placeholder\0${place.server}\0${names[0]}\0${text}`, names, place.server)
  })

/** A variable; a name that no system has gets one that is. */
const fromName = (name: string, whole: string, place: ReferencePlace): string => {
  if (/^[A-Za-z_]\w*$/.test(name)) return place.variables.theirs(name, place.server)
  const ours = place.variables.ours(`named\0${place.file}\0${name}`, [variableName(name)], place.server)
  place.remark(`\`${whole}\` became ${ours}`)
  return ours
}

const fromFile = (path: string, place: ReferencePlace): string => {
  const absolute = resolve(place.directory, expandHome(path))
  if (place.isReadable(absolute)) return `\${file:${absolute}}`
  const name = variableName(path.split(/[\\/]/).at(-1) ?? path)
  const ours = place.variables.ours(`file\0${absolute}`, [name], place.server)
  place.remark(`the file ${path} cannot be read: ${ours} stands for what it holds`)
  return ours
}

/** What programs say of where they run: known to the program only. */
const editorVariables: ReadonlySet<string> = new Set([
  "cwd",
  "workspaceFolder",
  "workspaceFolderBasename",
  "workspaceRoot",
  "fileWorkspaceFolder",
  "file",
  "fileDirname",
  "execPath",
  "extensionPath"
])

const inBraces = (body: string, whole: string, place: ReferencePlace): string => {
  const input = /^input:(.+)$/.exec(body)?.[1]
  if (input !== undefined) {
    return place.variables.ours(`input\0${place.file}\0${input}`, [variableName(input)], place.server)
  }
  const path = /^file:(.+)$/.exec(body)?.[1]
  if (path !== undefined) return fromFile(path, place)
  if (body === "userHome") return place.variables.theirs("HOME", place.server)
  if (body === "/" || body === "pathSeparator") return "/"
  if (editorVariables.has(body)) {
    const ours = place.variables.ours(`editor\0${body}`, [variableName(body)], place.server)
    place.remark(`\`${whole}\` is known to the program only and became ${ours}`)
    return ours
  }
  const [, name = body, operator, fallback] =
    /^(?:env:)?([A-Za-z_]\w*)(?:(:?[-=?+])([\s\S]*))?$/i.exec(body) ?? []
  return operator === undefined || fallback === undefined
    ? fromName(name.replace(/^env:/i, ""), whole, place)
    : withFallback(name, operator, fallback, place)
}

/** The gateway's references have no default: it is written instead of the reference, unless it may be a secret. */
const withFallback = (name: string, operator: string, fallback: string, place: ReferencePlace): string => {
  const isWritten = operator.endsWith("-") || operator.endsWith("=")
  if (!isWritten || fallback === "" || place.isSecret || secretLike.test(name)) {
    const reference = place.variables.theirs(name, place.server)
    place.remark(`${reference} has no default any more: set ${name}`)
    return reference
  }
  place.remark(`\`\${${name}${operator}…}\` became its default: write \${env:${name}} to read the variable`)
  return fallback
}

const secretLike = /token|key|secret|pass|pwd|auth|cred/i

/** `~` at the beginning of a path. */
export const expandHome = (path: string): string => {
  const home = process.env["HOME"] ?? process.env["USERPROFILE"]
  return home === undefined ? path : path.replace(/^~(?=$|[\\/])/, () => home)
}
