/** Paths below the public URL at which people use the gateway with a browser. */
export const personPaths = {
  /** What a person has granted. */
  me: "/me",
  /** Leads on to the login of the company. */
  login: "/me/login",
  /** Where the login of the company comes back to: the redirect URI that is registered there. */
  loginCallback: "/me/login/callback",
  /** The pages of links to logins at MCP servers, with the id of the link behind it. */
  link: "/me/links/",
  /** Where logins at MCP servers come back to. */
  callback: "/me/callback",
  /** Forms of `/me`. */
  connect: "/me/connect",
  disconnect: "/me/disconnect",
  logout: "/me/logout",
  /** All persons, for operators. */
  everyone: "/me/everyone"
} as const

/** Whether a path is one at which people use the gateway with a browser. */
export const isPersonPath = (path: string): boolean =>
  path === personPaths.me || path.startsWith(`${personPaths.me}/`)

/**
 * The path of the public URL, for a reverse proxy that does not take it away: the pages stand below it as well. Not below that of the
 * MCP servers, one of which may be called "me".
 */
export const personPrefix = (publicUrl: string): string => {
  const prefix = new URL(publicUrl).pathname.replace(/\/+$/, "")
  return prefix === "/servers" ? "" : prefix
}

/** The address of something for a link id, or of a page, below the public URL. */
export const personUrl = (publicUrl: string, path: string): string => publicUrl.replace(/\/+$/, "") + path
