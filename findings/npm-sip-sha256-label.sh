#!/bin/sh
# sip 0.0.6 (npm): answers a SHA-256 challenge with an MD5 digest, and names it sha-256.
#
# `digest.signRequest` takes the first challenge of the realm (or the first of all), whatever its algorithm, and
# repeats that in its credentials, but always computes MD5. RFC 7616 §3.3 has a client leave a challenge whose
# algorithm it does not know, and RFC 8760 §2.4 take the topmost that it does. To a server the answer looks like a
# wrong password: 32 hexadecimal digits where SHA-256 has 64. Offered SHA-256 first and MD5 next, it never gets in.
#
# Seen:   algorithm=sha-256, a response of 32 digits that is the MD5 one
# Exits with 0 while that is so, with 1 when it is otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" sip@0.0.6
cat >"$folder/try.js" <<'JAVASCRIPT'
const { createHash } = require("crypto");
const digest = require("sip/digest");

const md5 = (...parts) => createHash("md5").update(parts.join(":")).digest("hex");
const unquoted = (text) => text.replace(/^"|"$/g, "");
const challenge = (algorithm) => ({ scheme: "Digest", realm: '"here"', nonce: '"n"', qop: '"auth"', algorithm });

const request = { method: "REGISTER", uri: "sip:example.com", headers: {} };
const asked = { status: 401, headers: { "www-authenticate": [challenge("SHA-256"), challenge("MD5")] } };
digest.signRequest({}, request, asked, { user: "alice", password: "secret" });

const shown = request.headers.authorization[0];
const response = unquoted(shown.response);
const secret = md5("alice", "here", "secret");
const expected = md5(secret, "n", shown.nc, unquoted(shown.cnonce), "auth", md5("REGISTER", "sip:example.com"));
const which = response === expected ? "the MD5 one" : "another one";
console.log(`algorithm=${shown.algorithm}, a response of ${response.length} digits that is ${which}`);
process.exit(shown.algorithm === "sha-256" && response === expected ? 0 : 1);
JAVASCRIPT
NODE_PATH="$folder/node_modules" node "$folder/try.js"
