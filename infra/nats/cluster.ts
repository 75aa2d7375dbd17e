/** A server's place in a cluster: its own name, where the others reach it, and where it reaches them. */
export type ClusterPlace = { name: string; listen: string; routes: string[] };

/** The user that the servers of a cluster are to one another. */
export const ROUTE_USER = 'route';

/** Takes a server's place in its cluster and the password of routes; gives that part of its configuration. */
export function clusterConfig({ listen, routes }: ClusterPlace, password: string): string {
  const login = `${ROUTE_USER}:${encodeURIComponent(password)}`;
  const urls = routes.map((route) => JSON.stringify(`nats-route://${login}@${route}`));
  // Clients are told of no other addresses: they have those of all servers in their settings.
  return `cluster {
  name: mayfly
  listen: ${JSON.stringify(listen)}
  no_advertise: true
  authorization { user: ${ROUTE_USER}, password: ${JSON.stringify(password)} }
  routes: [${urls.join(', ')}]
}
`;
}
