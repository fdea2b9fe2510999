/* jws_sample.h - a public key made with the openssl command. The tokens of the table, and the seeds of the fuzz target,
 * were signed with its other half. */
#ifndef ONSALE_JWS_SAMPLE_H
#define ONSALE_JWS_SAMPLE_H

static const char sample_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                                 "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmoIlV44ayD509ohCjEVS\n"
                                 "50lbt9UfWr0KdbqJ6Kk8k+FHUqgra3cq8e4wnSNxSyeUgKDqJ/95gBJyofg9TBLM\n"
                                 "55x2LEmPSLPUsS5BooGtMvocmkbxN8aArj5wfU5HdnFmL/inE4UQxKSWgOcGPbrq\n"
                                 "dM7gGK3yGHQw40Fmzd3mB8Ys9KzBRoz05MFTrjFXyx95VcHLWwmrmSBwY0UY4eVp\n"
                                 "LxmocblM5Ljvibwco1B42w465YYF8TpDOjmH3XIcMaMImHk8RMO7pbherZfphZnB\n"
                                 "2c9JcuiCfHau9z7alzC6EWZzHGEn3fFSRP+Xtr/PQgWZnwUQCTbedQOgmt7pR/N4\n"
                                 "wwIDAQAB\n"
                                 "-----END PUBLIC KEY-----\n";

#endif
