/**
 * Passwords that everybody tries first, lower case: those that are long enough to be allowed at all (ten characters),
 * with their Korean keyboard kin. Picked by hand, short on purpose.
 */
export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(
  `
1234567890 0123456789 0987654321 9876543210 12345678910 123456789a a123456789 123456789q q123456789 1234567891
123456789012 1234512345 1122334455 1231231231 123123123123 1212121212 1234554321 12345678900 1029384756 147258369a
147258369147 0147258369 3141592653 5555555555a 123456789123 1234567899 1234567890a 1234567890q a1234567890 1234567890-
1234567890qwe abcd123456 abc1234567 abc123456789 abcdefghij abcdefghijk abcdefghijklmnop abcd1234567 aa123456789
aa12345678 asd123456789 asdf123456 asdfasdf123 qwertyuiop qwertyuiop123 qwertyuiop1 qwerty1234 qwerty12345 qwerty123456
qwerty1234567890 1234qwerasdf 1q2w3e4r5t 1q2w3e4r5t6y 1q2w3e4r5t6y7u q1w2e3r4t5 q1w2e3r4t5y6 1qaz2wsx3edc 1qazxsw23edc
qazwsxedcrfv qazwsxedc123 zaq12wsxcde3 qwe123qwe123 qweasdzxc123 qweqweqwe123 qwer1234qwer asdfghjkl1 asdfghjkl123
asdfghjkl; zxcvbnm123 zxcvbnm1234 1234567qwe 123qweasdzxc 123456qwerty 12345qwert qwert12345 poiuytrewq mnbvcxz123
asdfqwer1234 qwerasdfzxcv qwerasdf1234 qwertyqwerty password12 password123 password1234 password12345 password123456
password1! password01 passwordpassword p@ssword123 p@ssw0rd123 p@ssw0rd1234 passw0rd123 passw0rd1234 mypassword
mypassword1 mypassword123 newpassword newpassword1 password00 password99 password11 password2024 password2025
password2026 changeme123 changemenow letmein123 letmein1234 letmeinnow welcome123 welcome1234 welcome2024 welcome2025
welcome2026 welcome12345 administrator admin12345 admin123456 adminadmin adminadmin1 admin@1234 administrator1
root123456 rootrootroot secret1234 secret12345 default123 guest12345 test123456 testtest123 testtesttest test1234567
temppassword trustno1234 iloveyou12 iloveyou123 iloveyou1234 iloveyouso iloveyousomuch iloveyou22 ilovemylife ilovejesus
jesuschrist jesuslovesme princess12 princess123 princess1234 sunshine12 sunshine123 football12 football123 baseball12
baseball123 basketball basketball1 superman12 superman123 batman12345 spiderman1 spiderman123 charlie123 michael123
michelle12 michelle123 jennifer12 jordan2323 monkey1234 dragon1234 shadow1234 master1234 pokemon123 minecraft123
starwars12 starwars123 liverpool1 liverpool123 manchester manchester1 manchesterunited chelsea123 barcelona1
barcelona123 realmadrid christopher christian1 alexander1 elizabeth1 elizabeth123 blink182182 computer12 computer123
internet12 internet123 whatever12 whatever123 chocolate1 chocolate123 butterfly1 butterfly123 strawberry blackberry
mercedes123 volkswagen undertaker lovelovelove hello12345 hello123456 hellohello helloworld helloworld1 helloworld123
goodmorning happybirthday summer2024 summer2025 summer2026 winter2024 winter2025 winter2026 spring2025 spring2026
autumn2025 autumn2026 correcthorsebatterystaple thisisapassword nopassword1 ineedapassword qwertypassword sarang1234
saranghae1 saranghae123 saranghaeyo tkfkdgo123 tkfkdgo1234 dkssudgktpdy rlawjddms1 dlfdltka12 dlfdltkatk ghkdlxld12
dkdlfjqm12 korea12345 daehanminguk seoul12345 samsung123 samsung1234 naver12345 kakao12345 kerfkerfkerf kerf123456
kerfpassword
`
    .trim()
    .split(/\s+/),
);
