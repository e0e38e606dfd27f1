import type { Route } from '../../shared/http.ts';
import { accountRoutes, adminRoutes } from './account-routes.ts';
import { authRoutes } from './auth-routes.ts';
import type { Users } from './contract.ts';

export const userRoutes = (users: Users): Route[] => [...authRoutes(users), ...accountRoutes(users), ...adminRoutes(users)];
