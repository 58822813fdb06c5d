/**
 * What code in six languages would do to the world around it: a list of the calls by which programs use the network, start others, touch
 * files, and look for credentials. Owns: the list. Does not: parse any language: what stands in a comment or a text counts as well, and what
 * is put together while a program runs does not. Corpus: fixtures/guardrails/llm/code.yaml.
 */
import type { Effect } from '@sluice/contract';

export type ProgramLanguage = 'python' | 'javascript' | 'ruby' | 'php' | 'go' | 'powershell';

/** What such a call is, as rules see it as a verb. */
type Kind = 'network' | 'process' | 'file' | 'credential';
type Pattern = readonly [kind: Kind, effect: Effect, pattern: RegExp];

/** Places where credentials are, in whatever language. */
const SECRETS: readonly Pattern[] = [
  [
    'credential',
    'secret',
    /\.aws[\\/]{1,2}credentials|\.ssh[\\/]{1,2}(?:id_|authorized_keys)|\.netrc\b|\.pgpass\b|\.git-credentials\b/,
  ],
  [
    'credential',
    'secret',
    /\/etc\/(?:shadow|gshadow|sudoers)\b|\.docker\/config\.json|\.kube\/config\b|\.npmrc\b|\.pypirc\b/,
  ],
  ['credential', 'secret', /169\.254\.169\.254|metadata\.google\.internal/],
];

/** Word for word, with whatever blanks a language allows around a dot. */
const at = (owner: string, member: string): string => `\\b(?:${owner})\\s*\\.\\s*(?:${member})`;
/** Called by its name alone, which is no member of something else. */
const bare = (name: string): string => `(?<![.\\w$>:])(?:${name})\\s*\\(`;
const any = (...sources: readonly string[]): RegExp => new RegExp(sources.join('|'));
const anyCase = (...sources: readonly string[]): RegExp => new RegExp(sources.join('|'), 'i');

const PYTHON_NETWORK =
  'requests|httpx|aiohttp|urllib[23]?|http\\.client|socket|ssl|smtplib|ftplib|imaplib|poplib|telnetlib|paramiko|fabric|xmlrpc|websockets?|pycurl|boto3|asyncssh';

const PYTHON: readonly Pattern[] = [
  [
    'network',
    'egress',
    any(
      at(PYTHON_NETWORK, '\\w'),
      `\\b(?:import|from)\\s+(?:${PYTHON_NETWORK})\\b`,
      bare('urlopen|urlretrieve|create_connection'),
      at('asyncio', 'open_connection'),
    ),
  ],
  [
    'process',
    'execute',
    any(
      at('subprocess|pty|pexpect|multiprocessing|commands|ctypes|runpy|importlib|__builtins__|builtins', '\\w'),
      at('os', '(?:system|popen|exec|spawn|posix_spawn|fork|kill|startfile)'),
      '\\b(?:import|from)\\s+(?:subprocess|pty|pexpect|ctypes|runpy)\\b',
      '\\bfrom\\s+os\\s+import\\s[^\\n]{0,200}\\b(?:system|popen|exec\\w*|spawn\\w*|fork|kill)\\b',
      bare('eval|exec|compile|__import__|system|popen|Popen|check_output|check_call'),
      '\\bgetattr\\s*\\(\\s*(?:os|subprocess|builtins|__builtins__|__import__)\\b',
      '\\b(?:globals|locals|vars)\\s*\\(\\s*\\)\\s*\\[',
    ),
  ],
  [
    'file',
    'write',
    any(
      '\\bopen\\s*\\([^()\\n]{0,200},\\s*(?:mode\\s*=\\s*)?[\'"][rbtU]*[wax+][rbtwax+]*[\'"]',
      at('os', '(?:rename|replace|chmod|chown|link|symlink|truncate|mkdir|makedirs|utime|mknod)'),
      at('shutil', '(?:copy|move|chown|make_archive|unpack_archive)'),
      '\\.\\s*(?:write_text|write_bytes|touch|chmod|symlink_to|rename)\\s*\\(',
    ),
  ],
  [
    'file',
    'destroy',
    any(
      at('os', '(?:remove|unlink|rmdir|removedirs)'),
      at('shutil', 'rmtree'),
      '\\.\\s*(?:unlink|rmdir)\\s*\\(',
      bare('rmtree|unlink'),
    ),
  ],
  [
    'file',
    'read',
    any(bare('open'), '\\.\\s*(?:read_text|read_bytes|iterdir|rglob)\\s*\\(', at('os', '(?:listdir|walk|scandir)')),
  ],
  [
    'credential',
    'secret',
    any(
      at('os', '(?:environ|getenv)'),
      '\\b(?:import|from)\\s+(?:keyring|getpass|dotenv|hvac)\\b',
      at('keyring|getpass', '\\w'),
      bare('getpass|load_dotenv'),
    ),
  ],
];

const JS_NETWORK =
  'https?|http2|net|tls|dgram|ws|undici|axios|got|node-fetch|request|superagent|socket\\.io-client|ssh2|nodemailer|ftp|basic-ftp';

const JAVASCRIPT: readonly Pattern[] = [
  [
    'network',
    'egress',
    any(
      bare('fetch|axios|got|superagent|importScripts'),
      at('axios|superagent|undici', '\\w'),
      at('https?|net|tls', '(?:request|get|connect|createConnection)'),
      '\\bnew\\s+(?:XMLHttpRequest|WebSocket|EventSource|RTCPeerConnection|Socket)\\b',
      'navigator\\s*\\.\\s*sendBeacon',
      `\\b(?:require\\s*\\(|from|import\\s*\\(?)\\s*['"\`](?:node:)?(?:${JS_NETWORK})['"\`]`,
      at('Deno', '(?:connect|listen|serve)'),
      at('Bun', '(?:connect|serve|listen)'),
      '\\b(?:window|globalThis|self)\\s*\\.\\s*fetch\\b',
    ),
  ],
  [
    'process',
    'execute',
    any(
      '\\bchild_process\\b|\\bworker_threads\\b',
      '(?<![.\\w])(?:execSync|execFileSync|execFile|spawnSync|spawn|execa|fork)\\s*\\(',
      '\\.\\s*(?:execSync|execFileSync|execFile|spawnSync|spawn|fork)\\s*\\(',
      bare('eval'),
      '\\bnew\\s+(?:Function|Worker)\\b',
      '\\bconstructor\\s*\\.\\s*constructor\\b|\\[\\s*[\'"]constructor[\'"]\\s*\\]',
      at('vm', '(?:run|Script|compile|createContext)'),
      at('process', '(?:kill|binding|dlopen)'),
      at('Deno', '(?:Command|run|dlopen|kill)'),
      at('Bun', '(?:spawn|\\$)'),
    ),
  ],
  [
    'file',
    'write',
    any(
      '\\b(?:writeFile|writeFileSync|appendFile|appendFileSync|createWriteStream|copyFile|copyFileSync|rename|renameSync|chmod|chmodSync|chown|chownSync|truncate|truncateSync|mkdir|mkdirSync|symlink|symlinkSync|outputFile|outputJson)\\s*\\(',
      at('Deno', '(?:write|create|rename|chmod|mkdir|copyFile|truncate)'),
      at('Bun', 'write'),
    ),
  ],
  [
    'file',
    'destroy',
    any(
      '\\b(?:unlink|unlinkSync|rmdir|rmdirSync|rmSync|rimraf|emptyDir|emptyDirSync)\\s*\\(',
      at('fs(?:Promises|\\s*\\.\\s*promises)?', 'rm\\s*\\('),
      at('Deno', 'remove'),
    ),
  ],
  [
    'file',
    'read',
    any(
      '\\b(?:readFile|readFileSync|createReadStream|readdir|readdirSync|opendir)\\s*\\(',
      at('Deno', '(?:read|open)'),
      at('Bun', 'file'),
    ),
  ],
  [
    'credential',
    'secret',
    any(
      at('process|Bun', 'env'),
      'process\\s*\\[\\s*[\'"]env',
      at('Deno', 'env'),
      'document\\s*\\.\\s*cookie',
      '\\b(?:localStorage|sessionStorage|keytar)\\b',
    ),
  ],
];

const RUBY: readonly Pattern[] = [
  [
    'network',
    'egress',
    any(
      '\\bNet::(?:HTTP|SSH|SCP|SFTP|FTP|SMTP|IMAP|POP3|Telnet)\\b|\\b(?:HTTParty|RestClient|Faraday|Excon|Typhoeus|OpenURI|HTTPClient)\\b',
      '\\b(?:TCPSocket|UDPSocket|UNIXSocket|TCPServer|Socket|SSLSocket)\\s*\\.',
      at('URI', 'open'),
      '\\brequire\\s*\\(?\\s*[\'"](?:net/|open-uri|socket|faraday|httparty|rest-client|openssl)',
    ),
  ],
  [
    'process',
    'execute',
    any(
      '`[^`\\n]{1,500}`|%x[\\[({<|!]',
      '(?<![.\\w:@$])(?:system|exec|spawn|fork|eval|instance_eval|class_eval|module_eval|syscall)(?:\\s*\\(|\\s+[\'"])',
      at('Kernel|Process|PTY', '(?:system|exec|spawn|fork|eval|daemon|kill)'),
      at('IO', 'popen'),
      '\\bOpen3\\b|\\b(?:instance_eval|class_eval|module_eval)\\b|\\bbinding\\s*\\.\\s*eval\\b',
      '\\.\\s*(?:send|public_send|__send__|method)\\s*\\(?\\s*[:\'"](?:system|exec|spawn|eval|`)',
    ),
  ],
  [
    'file',
    'write',
    any(
      at('File|IO', '(?:write|binwrite|rename|chmod|chown|symlink|link|truncate)'),
      at('FileUtils', '(?:mv|cp|install|mkdir|touch|chmod|chown|ln)'),
      '\\bFile\\s*\\.\\s*(?:open|new)\\s*\\(?[^()\\n]{0,200},\\s*[\'"][rb]*[wa+]',
      at('Dir', 'mkdir'),
    ),
  ],
  [
    'file',
    'destroy',
    any(at('File|Dir', '(?:delete|unlink|rmdir)'), at('FileUtils', '(?:rm|remove)'), '\\.\\s*rmtree\\b'),
  ],
  [
    'file',
    'read',
    any(at('File|IO', '(?:read|binread|readlines|foreach|open|new)'), at('Dir', '(?:glob|entries|children|each)')),
  ],
  ['credential', 'secret', any('\\bENV\\s*(?:\\[|\\.)', at('Etc', 'getpwnam'), '\\bDotenv\\b')],
];

const PHP: readonly Pattern[] = [
  [
    'network',
    'egress',
    anyCase(
      bare(
        'curl_\\w+|fsockopen|pfsockopen|stream_socket_\\w+|socket_\\w+|ftp_\\w+|ssh2_\\w+|mail|get_headers|gethostbyname',
      ),
      '\\b(?:GuzzleHttp|SoapClient|PHPMailer)\\b',
      '\\b(?:file_get_contents|fopen|readfile|copy|include|require)\\s*\\(?\\s*[\'"](?:https?|ftp|php|expect|phar):',
    ),
  ],
  [
    'process',
    'execute',
    anyCase(
      bare('exec|shell_exec|system|passthru|popen|proc_open|pcntl_exec|pcntl_fork|eval|assert|create_function|dl'),
      '`[^`\\n]{1,500}`',
      bare('call_user_func(?:_array)?|preg_replace_callback'),
      '\\$\\w+\\s*\\(\\s*\\$_(?:GET|POST|REQUEST|COOKIE)',
    ),
  ],
  [
    'file',
    'write',
    anyCase(
      bare(
        'file_put_contents|fwrite|fputs|rename|chmod|chown|mkdir|touch|symlink|link|copy|move_uploaded_file|ftruncate',
      ),
      '\\bfopen\\s*\\([^()\\n]{0,200},\\s*[\'"][rbt]*[waxc+]',
    ),
  ],
  ['file', 'destroy', anyCase(bare('unlink|rmdir'))],
  [
    'file',
    'read',
    anyCase(
      bare('file_get_contents|fopen|readfile|file|scandir|opendir|glob|parse_ini_file|highlight_file|show_source'),
    ),
  ],
  ['credential', 'secret', anyCase(bare('getenv|phpinfo'), '\\$_(?:ENV|SERVER)\\b', '\\bwp-config\\.php\\b')],
];

const GO: readonly Pattern[] = [
  [
    'network',
    'egress',
    any(
      '"(?:net|net/http|net/smtp|net/rpc|net/url|crypto/tls|golang\\.org/x/crypto/ssh)"',
      at('http|httputil', '(?:Get|Post|PostForm|Head|NewRequest|Client|DefaultClient|ListenAndServe)'),
      at('net', '(?:Dial|Listen|Lookup)'),
      at('tls|ssh|grpc|smtp', '(?:Dial|SendMail|NewClient)'),
    ),
  ],
  [
    'process',
    'execute',
    any(
      '"os/exec"|"plugin"|"syscall"',
      at('exec', 'Command'),
      at('syscall|unix', '(?:Exec|ForkExec|Kill)'),
      at('os', 'StartProcess'),
      at('plugin', 'Open'),
    ),
  ],
  [
    'file',
    'write',
    any(at('os|ioutil', '(?:Create|WriteFile|OpenFile|Rename|Chmod|Chown|Truncate|Mkdir|Symlink|Link)')),
  ],
  ['file', 'destroy', any(at('os', 'Remove'))],
  ['file', 'read', any(at('os|ioutil', '(?:Open|ReadFile|ReadDir|ReadAll)'), at('filepath', '(?:Walk|Glob)'))],
  ['credential', 'secret', any(at('os', '(?:Getenv|LookupEnv|Environ|ExpandEnv)'))],
];

const POWERSHELL: readonly Pattern[] = [
  [
    'network',
    'egress',
    anyCase(
      '\\b(?:Invoke-WebRequest|Invoke-RestMethod|Start-BitsTransfer|New-PSSession|Enter-PSSession|Invoke-Command|Test-NetConnection|Send-MailMessage|Resolve-DnsName)\\b',
      '\\bNet\\.(?:WebClient|Http|Sockets|HttpWebRequest|Mail)\\b|\\bDownload(?:String|File|Data)\\b',
    ),
  ],
  [
    'process',
    'execute',
    anyCase(
      '\\b(?:Start-Process|Invoke-Expression|Start-Job|Invoke-WmiMethod|Invoke-CimMethod|Add-Type|Stop-Process|Register-ScheduledTask|New-Service)\\b',
      '\\bDiagnostics\\.Process\\b|-EncodedCommand\\b|\\bWScript\\.Shell\\b|\\[scriptblock\\]|Reflection\\.Assembly',
    ),
  ],
  [
    'file',
    'write',
    anyCase(
      '\\b(?:Set-Content|Add-Content|Out-File|New-Item|Move-Item|Copy-Item|Rename-Item|Set-Acl|Set-ItemProperty|Export-Csv)\\b',
      '\\bIO\\.File\\]::(?:Write|Append|Move|Copy|Create)',
    ),
  ],
  [
    'file',
    'destroy',
    anyCase(
      '\\b(?:Remove-Item|Clear-Content|Format-Volume|Clear-Disk|Remove-ItemProperty|Clear-Item|Remove-Partition)\\b',
      '\\bIO\\.(?:File|Directory)\\]::Delete',
    ),
  ],
  [
    'file',
    'read',
    anyCase('\\b(?:Get-Content|Get-ChildItem|Import-Csv|Select-String)\\b', '\\bIO\\.File\\]::(?:Read|Open)'),
  ],
  [
    'credential',
    'secret',
    anyCase(
      '\\b(?:Get-Credential|ConvertTo-SecureString|ConvertFrom-SecureString|Get-StoredCredential|Get-Secret|cmdkey|vaultcmd)\\b',
      '\\$env:|\\benv:\\\\|GetEnvironmentVariable',
    ),
  ],
];

/** Short names that are words of other languages too. */
const POWERSHELL_ALIASES: readonly Pattern[] = [
  ['network', 'egress', /(?<![\w.-])(?:iwr|irm|curl|wget)\s/i],
  [
    'process',
    'execute',
    /(?<![\w.-])(?:iex|saps|sajb|spps|icm|cmd(?:\.exe)?|powershell(?:\.exe)?|pwsh)\b|(?:^|[|;\n])\s*&\s*[$'"({\w]/i,
  ],
  ['file', 'destroy', /(?<![\w.-])(?:rm|ri|del|erase|rd|rmdir)\s/i],
  ['file', 'write', /(?<![\w.-])(?:sc|ac|mv|cp|copy|move|ren|ni)\s|[^-]>{1,2}\s*[\w$."']/i],
  ['file', 'read', /(?<![\w.-])(?:gc|cat|type|gci|dir|ls)\s/i],
];

const LISTS: Readonly<Record<ProgramLanguage, readonly Pattern[]>> = {
  python: PYTHON,
  javascript: JAVASCRIPT,
  ruby: RUBY,
  php: PHP,
  go: GO,
  powershell: [...POWERSHELL, ...POWERSHELL_ALIASES],
};

/** Of code that does not say what language it is in: what says so by itself. */
const UNSAID: readonly Pattern[] = [...PYTHON, ...JAVASCRIPT, ...GO, ...POWERSHELL].filter(
  ([, effect]) => effect !== 'read',
);

export interface CodeCalls {
  readonly effects: readonly Effect[];
  readonly verbs: readonly string[];
}

/** Linear in the text. `language` undefined: nobody says which it is. */
export function callsInCode(text: string, language: ProgramLanguage | undefined): CodeCalls {
  const effects = new Set<Effect>();
  const verbs = new Set<string>();
  for (const [kind, effect, pattern] of [...(language ? LISTS[language] : UNSAID), ...SECRETS]) {
    if (effects.has(effect) && verbs.has(kind)) continue;
    if (!pattern.test(text)) continue;
    effects.add(effect);
    verbs.add(kind);
  }
  return { effects: [...effects], verbs: [...verbs] };
}
