// An OpenID provider, certified as such: anybody logs in with any password, by its own pages.
// Arguments: its port, the site that asks it, and where a proxy that asks it too is come back to. It
// says what it gives, a line each.
import { Provider } from 'oidc-provider';

const [port, site, back] = process.argv.slice(2);
// What is given to the site is over soon, so that it has to be renewed.
const lasts = (_ctx, _token, client) => (client.clientId === 'dashboard' ? 3 : 600);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'dashboard',
    client_secret: 'what the test and the provider know',
    redirect_uris: [`${site}/oidc/callback`],
    post_logout_redirect_uris: [`${site}/bye`],
    grant_types: ['authorization_code', 'refresh_token'],
  }, ...(back ? [{ client_id: 'proxy', client_secret: 'of the proxy', redirect_uris: [back] }] : [])],
  claims: { openid: ['sub', 'groups'] },
  conformIdTokenClaims: false,
  cookies: { keys: ['of nobody'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  ttl: { AccessToken: lasts, IdToken: lasts, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
  findAccount: (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, groups: id === 'eve' ? [] : ['ops', 'dev'] }),
  }),
});
provider.on('grant.success', (ctx) => console.log(`gives ${ctx.oidc.params.grant_type}`));
provider.on('grant.error', (ctx, error) => console.log(`refuses ${error.error}: ${error.error_detail}`));
provider.on('grant.revoked', () => console.log('takes all back'));
provider.on('server_error', (ctx, error) => console.log(`breaks: ${error.stack}`));
provider.listen(Number(port), '127.0.0.1', () => console.log('listens'));
