import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, posix } from "node:path"
import { linksOf, type PageLink, withLinks } from "./PageLinks.ts"
import { repositoryAddress, root } from "./Repository.ts"

/** A page of the site: the Markdown file that it is made of, and its place on the site. */
export interface Page {
  /** From the repository's directory, such as `packages/mtls/README.md`. */
  readonly file: string
  /** From the start page, such as `packages/mtls/index.md`. */
  readonly path: string
  /** Its Markdown, with links that work on the site. */
  readonly text: string
  /** The images that it shows, from the repository's directory. */
  readonly images: ReadonlyArray<string>
}

/** All of `docs/`, and the pages elsewhere in the repository that can be reached from there. */
export const sitePages = (): ReadonlyArray<Page> => {
  const files = new Set<string>()
  const add = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    for (const link of linksOf(readPage(file))) {
      const { page } = destination(file, link)
      if (page !== undefined) add(page)
    }
  }
  for (const file of globSync("docs/**/*.md", { cwd: root }).toSorted()) add(file)
  return [...files].toSorted().map(pageOf)
}

/** Writes the pages into a folder, and takes away what was there. */
export const writePages = (pages: ReadonlyArray<Page>, directory: string): void => {
  rmSync(directory, { recursive: true, force: true })
  for (const { images, path, text } of pages) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
    for (const image of images) {
      const place = join(directory, placeOf(image))
      mkdirSync(dirname(place), { recursive: true })
      copyFileSync(join(root, image), place)
    }
  }
}

const pageOf = (file: string): Page => {
  const path = placeOf(file)
  const images: Array<string> = []
  const text = withLinks(readPage(file), (link) => {
    if (link.target === "") return link.heading
    if (/\.(?:png|svg)$/.test(link.target)) {
      const image = posix.join(posix.dirname(file), link.target)
      images.push(image)
      return posix.relative(posix.dirname(path), placeOf(image))
    }
    const { address, page } = destination(file, link)
    return page === undefined
      ? `${address}${link.heading}`
      : `${posix.relative(posix.dirname(path), placeOf(page)) || posix.basename(path)}${link.heading}`
  })
  return { file, path, text, images }
}

/** `docs/` is the top of the site, and a README stands for its folder. That of the repository itself keeps its name. */
const placeOf = (file: string): string => file.replace(/^docs\//, "").replace(/\/README\.md$/, "/index.md")

/** The page that a link leads to, or else the address of the file or folder in the repository. */
const destination = (
  from: string,
  { target }: PageLink
): { readonly page?: string; readonly address: string } => {
  const path = target === "" ? from : posix.join(posix.dirname(from), target)
  const isFolder = statSync(join(root, path)).isDirectory()
  const page = isFolder ? posix.join(path, "README.md") : path
  const address = `${repositoryAddress()}/${isFolder ? "tree" : "blob"}/main/${path}`
  const isPage = page.endsWith(".md") && statSync(join(root, page), { throwIfNoEntry: false }) !== undefined
  // A changelog is for those who read the source.
  return isPage && !page.endsWith("CHANGELOG.md") ? { page, address } : { address }
}

const readPage = (file: string): string => readFileSync(join(root, file), "utf8")
