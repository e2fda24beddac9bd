// OpenID providers of many kinds, each below a path of its own, of which the tests say how each is.
// Arguments: a port and a file of cases. Anybody logs in with any password. It says what each gives.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const [port, cases] = process.argv.slice(2);
const pair = {
  rsa: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  p256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ed25519: () => generateKeyPairSync('ed25519'),
};
const made = (kind) => ({ use: 'sig', ...pair[kind]().privateKey.export({ format: 'jwk' }) });
const usual = Object.keys(pair).map(made);
const ours = { use: 'enc', alg: 'RSA-OAEP-256', ...pair.rsa().publicKey.export({ format: 'jwk' }) };

function provider({ name, provider: it = {} }, keys) {
  const lasts = () => it.lasts ?? 600;
  const made = new Provider(`http://127.0.0.1:${port}/${name}`, {
    clients: [{
      client_id: 'app',
      ...(it.public ? { token_endpoint_auth_method: 'none' } : { client_secret: 'known to both, and to nobody else' }),
      redirect_uris: [`http://${name}.test/oidc/callback`],
      post_logout_redirect_uris: [`http://${name}.test/bye`],
      grant_types: ['authorization_code', 'refresh_token'],
      ...(it.encrypted ? { id_token_encrypted_response_alg: 'RSA-OAEP-256', jwks: { keys: [ours] } } : {}),
      ...it.client,
    }],
    jwks: { keys },
    claims: it.conforms ? { openid: ['sub'], groups: ['groups'] } : { openid: ['sub', 'groups'] },
    scopes: ['openid', 'groups'],
    conformIdTokenClaims: it.conforms ?? false,
    cookies: { keys: ['of nobody'] },
    pkce: { required: () => it.pkce ?? false },
    rotateRefreshToken: it.rotates ?? true,
    issueRefreshToken: async () => it.renews ?? true,
    ...(it.methods ? { clientAuthMethods: it.methods } : {}),
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'RS384', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'],
    },
    features: {
      pushedAuthorizationRequests: {
        enabled: !!it.pushed, requirePushedAuthorizationRequests: it.pushed === 'required',
      },
      rpInitiatedLogout: { enabled: it.logout ?? true },
      encryption: { enabled: !!it.encrypted },
    },
    ttl: {
      AccessToken: lasts, IdToken: lasts, RefreshToken: 3600, Session: 3600, Grant: 3600,
      Interaction: 600,
    },
    findAccount: (_, id) => ({
      accountId: id, claims: async () => ({ sub: id, groups: ['ops', 'dev'] }),
    }),
  });
  made.on('grant.success', (ctx) => console.log(`${name} gives ${ctx.oidc.params.grant_type}.`));
  made.on('grant.error', (_, error) => console.log(`${name} refuses ${error.error}: ${error.error_detail}`));
  made.on('server_error', (_, error) => console.log(`${name} breaks: ${error.stack}`));
  return made.callback();
}

const all = JSON.parse(readFileSync(cases, 'utf8'));
const providers = new Map(all.map((it) => [it.name, provider(it, usual)]));
createServer((req, res) => {
  const name = req.url.split('/')[1];
  const found = providers.get(name);
  if (found === undefined) {
    res.writeHead(404).end();
    return;
  }
  req.originalUrl = req.url;
  req.url = req.url.slice(name.length + 1) || '/';
  if (req.url === '/rotate') {
    // What was signed before is of a key that is gone.
    providers.set(name, provider(all.find((it) => it.name === name), [made('rsa')]));
    res.end('rotated');
    return;
  }
  found(req, res);
}).listen(Number(port), '127.0.0.1', () => console.log('listens'));
