import type { ModuleContext } from '../../shared/module.ts';
import { createAddressService } from './address-service.ts';
import type { Users } from './contract.ts';
import { createPasswordCheck } from './password-check-flow.ts';
import { createPasswordHasher, type PasswordHasher } from './password-hash-service.ts';
import { createPasswordService } from './password-service.ts';
import { createProfileService } from './profile-service.ts';
import { createRegistrationService } from './registration-service.ts';
import { createSessionService } from './session-service.ts';
import { createSigningKeys } from './signing-key-service.ts';

export function createUserService(context: ModuleContext, hasher: PasswordHasher = createPasswordHasher()): Users {
  const keys = createSigningKeys(context);
  const checkPassword = createPasswordCheck(context, hasher);
  return {
    ...createRegistrationService(context, { hasher }),
    ...createSessionService(context, { keys, checkPassword }),
    ...createPasswordService(context, { keys, hasher, checkPassword }),
    ...createProfileService(context),
    ...createAddressService(context),
    listSigningKeys: async () => ({ keys: await keys.published() }),
    rotateSigningKeys: async () => ({ keyId: await keys.rotate() }),
  };
}
