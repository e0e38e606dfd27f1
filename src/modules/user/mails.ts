export interface MailText {
  subject: string;
  text: string;
}

/**
 * Mails go to addresses that anybody may have typed in, so that nothing typed in by a stranger stands in them: no name.
 */
export const verificationMail = (publicUrl: string, token: string): MailText => ({
  subject: '이메일 주소를 확인해 주세요 / Please confirm your e-mail address',
  text: [
    '이 이메일 주소로 회원 가입이 접수되었습니다. 아래 토큰으로 주소를 확인해 주세요. 24시간 동안 한 번만 쓸 수 있습니다.',
    '직접 가입하지 않으셨다면 이 메일을 무시해 주세요.',
    '',
    'Somebody signed up with this e-mail address. Confirm it with the token below: good for one use within 24 hours.',
    'If that was not you, ignore this mail.',
    '',
    ...withToken(token, post(`${publicUrl}/v1/auth/verify`, { token })),
  ].join('\n'),
});

export const passwordResetMail = (publicUrl: string, token: string): MailText => ({
  subject: '비밀번호 재설정 / Reset your password',
  text: [
    '비밀번호 재설정이 요청되었습니다. 아래 토큰은 1시간 동안 한 번만 쓸 수 있습니다.',
    '직접 요청하지 않으셨다면 이 메일을 무시해 주세요. 비밀번호는 바뀌지 않습니다.',
    '',
    'Somebody asked to reset your password. The token below is good for one use within one hour.',
    'If that was not you, ignore this mail: your password stays as it is.',
    '',
    ...withToken(token, post(`${publicUrl}/v1/auth/password/reset`, { token, newPassword: 'your new password' })),
  ].join('\n'),
});

export const knownAddressMail = (publicUrl: string, email: string): MailText => ({
  subject: '이미 가입된 이메일 주소입니다 / You already have an account',
  text: [
    '이 이메일 주소로 다시 회원 가입이 시도되었습니다. 이미 계정이 있으니 그대로 로그인해 주세요.',
    '비밀번호를 잊으셨다면 재설정해 주세요. 직접 가입하지 않으셨다면 이 메일을 무시해 주세요.',
    '',
    'Somebody tried to sign up with this e-mail address again. You already have an account: just log in.',
    'If you forgot the password, reset it. If that was not you, ignore this mail.',
    '',
    post(`${publicUrl}/v1/auth/password/forgot`, { email }),
    '',
  ].join('\n'),
});

const withToken = (token: string, command: string) => [`토큰 / Token: ${token}`, '', command, ''];

const post = (url: string, body: Record<string, string>) =>
  `curl -X POST ${url} -H 'content-type: application/json' -d '${JSON.stringify(body).replaceAll("'", String.raw`\u0027`)}'`;
