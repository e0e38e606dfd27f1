import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import express, { type Router } from 'express';

const ASSETS = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];
const CONTENT_SECURITY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Kerf API</title><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/docs/favicon-32x32.png"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="api"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>`;

/** The key "auto" becomes a new one for each request that is sent from the page. */
const START = `fetch('/openapi.json').then((answer) => answer.json()).then((spec) => {
  for (const methods of Object.values(spec.paths)) for (const { parameters = [] } of Object.values(methods))
    for (const parameter of parameters) if (parameter.name === 'Idempotency-Key') parameter.example = 'auto';
  SwaggerUIBundle({ spec, dom_id: '#api', deepLinking: true, tryItOutEnabled: true, persistAuthorization: true,
    displayRequestDuration: true, filter: true, docExpansion: 'list', defaultModelsExpandDepth: 0,
    requestInterceptor: (request) => {
      if (request.headers['Idempotency-Key'] === 'auto') request.headers['Idempotency-Key'] = crypto.randomUUID();
      return request;
    } });
});`;

/** The OpenAPI document and a page to read and try it, with nothing loaded from elsewhere. */
export function reference(document: () => unknown): Router {
  const router = express.Router();
  const assets = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  let openApi: string | undefined;
  router.get('/', (_req, res) => res.redirect('/docs'));
  router.get('/openapi.json', (_req, res) => void res.type('json').send((openApi ??= JSON.stringify(document()))));
  router.get('/docs', (_req, res) => void res.set('content-security-policy', CONTENT_SECURITY).type('html').send(PAGE));
  router.get('/docs/start.js', (_req, res) => void res.type('js').send(START));
  for (const asset of ASSETS) {
    router.get(`/docs/${asset}`, (_req, res) => void res.type(asset).set('cache-control', 'public, max-age=3600').send(readFileSync(join(assets, asset))));
  }
  return router;
}
