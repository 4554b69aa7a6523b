// An OpenID provider on a free port of loopback. Whoever types a name is signed in; what is known of whom is in `people`.
// Settings come as JSON in the first argument: client_id, client_secret, dashboard (its address), people.

import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const given = JSON.parse(process.argv[2]);
const page = `<!doctype html><html lang="en"><title>Sign in at the provider</title><meta name="viewport" content="width=device-width">
<form method="post"><label>Name <input name="login"></label> <button>Sign in</button></form></html>`;

async function read(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return new URLSearchParams(Buffer.concat(pieces).toString());
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: given.client_id,
        client_secret: given.client_secret,
        redirect_uris: [`${given.dashboard}/signin/provider/callback`],
        post_logout_redirect_uris: [`${given.dashboard}/signin/provider/left`],
        backchannel_logout_uri: `${given.dashboard}/signin/provider/back-channel-logout`,
        backchannel_logout_session_required: true,
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
    features: { backchannelLogout: { enabled: true }, devInteractions: { enabled: false } },
    cookies: { keys: ["of no use outside the tests"] },
    // Its own way refuses loopback, where the dashboard is.
    fetch: (url, { dispatcher: _refusing, ...options }) => globalThis.fetch(url, options),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...given.people[sub] }) }),
    async loadExistingGrant({ oidc }) {
      // Nobody is asked whether the dashboard may know name and address.
      const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope("openid email profile");
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  server.on("request", async (request, response) => {
    if (!request.url.startsWith("/interaction/")) {
      answer(request, response);
    } else if (request.method === "POST") {
      const login = { accountId: (await read(request)).get("login") };
      await provider.interactionFinished(request, response, { login });
    } else {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(page);
    }
  });
  process.stdout.write(`${issuer}\n`);
});
