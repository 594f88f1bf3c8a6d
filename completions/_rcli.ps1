
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'rcli' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'rcli'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'rcli' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'Read the argument that is TAG from standard input')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Run the command N times; -1: for ever')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Pause between the runs of -r, in seconds')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Read the last argument from standard input')
            [CompletionResult]::new('--quoted-input', '--quoted-input', [CompletionResultType]::ParameterName, 'Unquote the arguments as lines of input are unquoted')
            [CompletionResult]::new('pipe', 'pipe', [CompletionResultType]::ParameterValue, 'Run the commands of files or standard input as a pipeline')
            [CompletionResult]::new('sub', 'sub', [CompletionResultType]::ParameterValue, 'Subscribe to channels and write each message as it arrives')
            [CompletionResult]::new('psub', 'psub', [CompletionResultType]::ParameterValue, 'Subscribe to patterns of channels and write each message as it arrives')
            [CompletionResult]::new('ssub', 'ssub', [CompletionResultType]::ParameterValue, 'Subscribe to shard channels and write each message as it arrives')
            [CompletionResult]::new('monitor', 'monitor', [CompletionResultType]::ParameterValue, 'Write every command that the server runs')
            [CompletionResult]::new('txn', 'txn', [CompletionResultType]::ParameterValue, 'Run commands as one MULTI/EXEC block, guarded by WATCH')
            [CompletionResult]::new('profiles', 'profiles', [CompletionResultType]::ParameterValue, 'List the profiles, without their passwords')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('generate', 'generate', [CompletionResultType]::ParameterValue, 'Write completions/ and man/, and with --table src/command/table/commands.json, below a directory')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run one command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rcli;pipe' {
            [CompletionResult]::new('--on-error', '--on-error', [CompletionResultType]::ParameterName, 'After an error reply: go on, or send nothing more and end')
            [CompletionResult]::new('--skip', '--skip', [CompletionResultType]::ParameterName, 'Skip the first N commands, to resume; those that set the connection''s state are sent again')
            [CompletionResult]::new('--not-run', '--not-run', [CompletionResultType]::ParameterName, 'With --skip: the EXECs that ran nothing, by their numbers, as the line says that tells how to resume')
            [CompletionResult]::new('--window', '--window', [CompletionResultType]::ParameterName, 'Commands in flight at most [default: chosen for throughput]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'Show a progress bar on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('--atomic', '--atomic', [CompletionResultType]::ParameterName, 'Run the whole input as one MULTI/EXEC')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Write no replies; errors still go to stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Write no replies; errors still go to stderr')
            [CompletionResult]::new('--envelope', '--envelope', [CompletionResultType]::ParameterName, 'Write {"index","line","command","reply"} lines of JSON')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Parse all the input, run nothing, connect to nothing')
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'End with a line on stderr: commands, replies, errors, seconds, rate')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            break
        }
        'rcli;sub' {
            [CompletionResult]::new('--pattern', '--pattern', [CompletionResultType]::ParameterName, 'A pattern to subscribe to as well; may be repeated')
            [CompletionResult]::new('--handler', '--handler', [CompletionResultType]::ParameterName, 'Run a shell command for each message of a channel or pattern, its JSON line on stdin; it inherits the environment, REDISCLI_AUTH and RCLI_URL included; may be repeated')
            [CompletionResult]::new('--handler-jobs', '--handler-jobs', [CompletionResultType]::ParameterName, 'Handlers that run at once')
            [CompletionResult]::new('--on-handler-error', '--on-handler-error', [CompletionResultType]::ParameterName, 'After a handler that failed: say so and go on, or end with status 1')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'End after N messages')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'End after SECS seconds in all; status 5 if --count was not reached')
            [CompletionResult]::new('--idle', '--idle', [CompletionResultType]::ParameterName, 'End after SECS seconds without a message; status 5 if --count was not reached')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often in a row to try a new connection [default: for ever]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Write no confirmations of subscriptions')
            [CompletionResult]::new('--ignore-subscribe-messages', '--ignore-subscribe-messages', [CompletionResultType]::ParameterName, 'Write no confirmations of subscriptions')
            [CompletionResult]::new('--time', '--time', [CompletionResultType]::ParameterName, 'Add "time": seconds since 1970, with microseconds')
            [CompletionResult]::new('--data-json', '--data-json', [CompletionResultType]::ParameterName, 'Nest data that is valid JSON as JSON')
            [CompletionResult]::new('--no-reconnect', '--no-reconnect', [CompletionResultType]::ParameterName, 'End with status 3 when the connection is lost')
            [CompletionResult]::new('--events', '--events', [CompletionResultType]::ParameterName, 'Write {"type":"disconnected",...} and {"type":"reconnected","gap":...} lines among the messages')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            break
        }
        'rcli;psub' {
            [CompletionResult]::new('--channel', '--channel', [CompletionResultType]::ParameterName, 'A channel to subscribe to as well; may be repeated')
            [CompletionResult]::new('--handler', '--handler', [CompletionResultType]::ParameterName, 'Run a shell command for each message of a channel or pattern, its JSON line on stdin; it inherits the environment, REDISCLI_AUTH and RCLI_URL included; may be repeated')
            [CompletionResult]::new('--handler-jobs', '--handler-jobs', [CompletionResultType]::ParameterName, 'Handlers that run at once')
            [CompletionResult]::new('--on-handler-error', '--on-handler-error', [CompletionResultType]::ParameterName, 'After a handler that failed: say so and go on, or end with status 1')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'End after N messages')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'End after SECS seconds in all; status 5 if --count was not reached')
            [CompletionResult]::new('--idle', '--idle', [CompletionResultType]::ParameterName, 'End after SECS seconds without a message; status 5 if --count was not reached')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often in a row to try a new connection [default: for ever]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Write no confirmations of subscriptions')
            [CompletionResult]::new('--ignore-subscribe-messages', '--ignore-subscribe-messages', [CompletionResultType]::ParameterName, 'Write no confirmations of subscriptions')
            [CompletionResult]::new('--time', '--time', [CompletionResultType]::ParameterName, 'Add "time": seconds since 1970, with microseconds')
            [CompletionResult]::new('--data-json', '--data-json', [CompletionResultType]::ParameterName, 'Nest data that is valid JSON as JSON')
            [CompletionResult]::new('--no-reconnect', '--no-reconnect', [CompletionResultType]::ParameterName, 'End with status 3 when the connection is lost')
            [CompletionResult]::new('--events', '--events', [CompletionResultType]::ParameterName, 'Write {"type":"disconnected",...} and {"type":"reconnected","gap":...} lines among the messages')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            break
        }
        'rcli;ssub' {
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'With -c: listen to this node only; channels that it does not own are named and passed over')
            [CompletionResult]::new('--handler', '--handler', [CompletionResultType]::ParameterName, 'Run a shell command for each message of a channel or pattern, its JSON line on stdin; it inherits the environment, REDISCLI_AUTH and RCLI_URL included; may be repeated')
            [CompletionResult]::new('--handler-jobs', '--handler-jobs', [CompletionResultType]::ParameterName, 'Handlers that run at once')
            [CompletionResult]::new('--on-handler-error', '--on-handler-error', [CompletionResultType]::ParameterName, 'After a handler that failed: say so and go on, or end with status 1')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'End after N messages')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'End after SECS seconds in all; status 5 if --count was not reached')
            [CompletionResult]::new('--idle', '--idle', [CompletionResultType]::ParameterName, 'End after SECS seconds without a message; status 5 if --count was not reached')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often in a row to try a new connection [default: for ever]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('-m', '-m', [CompletionResultType]::ParameterName, 'Write no confirmations of subscriptions')
            [CompletionResult]::new('--ignore-subscribe-messages', '--ignore-subscribe-messages', [CompletionResultType]::ParameterName, 'Write no confirmations of subscriptions')
            [CompletionResult]::new('--time', '--time', [CompletionResultType]::ParameterName, 'Add "time": seconds since 1970, with microseconds')
            [CompletionResult]::new('--data-json', '--data-json', [CompletionResultType]::ParameterName, 'Nest data that is valid JSON as JSON')
            [CompletionResult]::new('--no-reconnect', '--no-reconnect', [CompletionResultType]::ParameterName, 'End with status 3 when the connection is lost')
            [CompletionResult]::new('--events', '--events', [CompletionResultType]::ParameterName, 'Write {"type":"disconnected",...} and {"type":"reconnected","gap":...} lines among the messages')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            break
        }
        'rcli;monitor' {
            [CompletionResult]::new('--only', '--only', [CompletionResultType]::ParameterName, 'Only these commands, in any case')
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'Only this client: an address, an address and port, unix, unix:PATH or lua')
            [CompletionResult]::new('--in-db', '--in-db', [CompletionResultType]::ParameterName, 'Only this database')
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'With -c: listen to this node only')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'End after N messages')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'End after SECS seconds in all; status 5 if --count was not reached')
            [CompletionResult]::new('--idle', '--idle', [CompletionResultType]::ParameterName, 'End after SECS seconds without a message; status 5 if --count was not reached')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often in a row to try a new connection [default: for ever]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('--no-reconnect', '--no-reconnect', [CompletionResultType]::ParameterName, 'End with status 3 when the connection is lost')
            [CompletionResult]::new('--events', '--events', [CompletionResultType]::ParameterName, 'Write {"type":"disconnected",...} and {"type":"reconnected","gap":...} lines among the messages')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            break
        }
        'rcli;txn' {
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Watch a key: if it changes before EXEC, nothing is run (repeatable)')
            [CompletionResult]::new('--retries', '--retries', [CompletionResultType]::ParameterName, 'How often to try again after that [default: 10 with PROGRAM, 0 without]')
            [CompletionResult]::new('--watch-delay', '--watch-delay', [CompletionResultType]::ParameterName, 'First pause between tries, in seconds, or as long as a try takes; doubled each time, with jitter [default: 0.01]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            break
        }
        'rcli;profiles' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            break
        }
        'rcli;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            break
        }
        'rcli;generate' {
            [CompletionResult]::new('--table', '--table', [CompletionResultType]::ParameterName, 'A server to ask for its commands; the first one that has a command describes it')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            break
        }
        'rcli;exec' {
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'Read the argument that is TAG from standard input')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Run the command N times; -1: for ever')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Pause between the runs of -r, in seconds')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379] [env: VALKEYCLI_PORT]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--sentinel', '--sentinel', [CompletionResultType]::ParameterName, 'Sentinels to ask where the primary is, at every connect')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Name that the sentinels know the primary by')
            [CompletionResult]::new('--sentinel-user', '--sentinel-user', [CompletionResultType]::ParameterName, 'ACL user name for the sentinels')
            [CompletionResult]::new('--sentinel-pass', '--sentinel-pass', [CompletionResultType]::ParameterName, 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name [env: VALKEYCLI_USER]')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('--password_command', '--password_command', [CompletionResultType]::ParameterName, 'Take the password from the first line that a shell command writes: a profile''s `password_command`')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]')
            [CompletionResult]::new('--cacertdir', '--cacertdir', [CompletionResultType]::ParameterName, 'The same: every PEM file of a directory')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('--verify', '--verify', [CompletionResultType]::ParameterName, 'What of the server''s certificate is checked [default: full]')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Read the last argument from standard input')
            [CompletionResult]::new('--quoted-input', '--quoted-input', [CompletionResultType]::ParameterName, 'Unquote the arguments as lines of input are unquoted')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about a password that -a or -u gives')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS; the TLS options below imply it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'The same as --verify none')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'The server is a node of a cluster: go to the node that owns a key')
            [CompletionResult]::new('--read-from-replicas', '--read-from-replicas', [CompletionResultType]::ParameterName, 'With -c: send reads to replicas, whose data may be a moment old')
            [CompletionResult]::new('--all-nodes', '--all-nodes', [CompletionResultType]::ParameterName, 'With -c: run one command without keys on every primary')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines, when they come')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking')
            [CompletionResult]::new('ACL', 'ACL', [CompletionResultType]::ParameterValue, 'ACL')
            [CompletionResult]::new('APPEND', 'APPEND', [CompletionResultType]::ParameterValue, 'APPEND')
            [CompletionResult]::new('ASKING', 'ASKING', [CompletionResultType]::ParameterValue, 'ASKING')
            [CompletionResult]::new('AUTH', 'AUTH', [CompletionResultType]::ParameterValue, 'AUTH')
            [CompletionResult]::new('BGREWRITEAOF', 'BGREWRITEAOF', [CompletionResultType]::ParameterValue, 'BGREWRITEAOF')
            [CompletionResult]::new('BGSAVE', 'BGSAVE', [CompletionResultType]::ParameterValue, 'BGSAVE')
            [CompletionResult]::new('BITCOUNT', 'BITCOUNT', [CompletionResultType]::ParameterValue, 'BITCOUNT')
            [CompletionResult]::new('BITFIELD', 'BITFIELD', [CompletionResultType]::ParameterValue, 'BITFIELD')
            [CompletionResult]::new('BITFIELD_RO', 'BITFIELD_RO', [CompletionResultType]::ParameterValue, 'BITFIELD_RO')
            [CompletionResult]::new('BITOP', 'BITOP', [CompletionResultType]::ParameterValue, 'BITOP')
            [CompletionResult]::new('BITPOS', 'BITPOS', [CompletionResultType]::ParameterValue, 'BITPOS')
            [CompletionResult]::new('BLMOVE', 'BLMOVE', [CompletionResultType]::ParameterValue, 'BLMOVE')
            [CompletionResult]::new('BLMPOP', 'BLMPOP', [CompletionResultType]::ParameterValue, 'BLMPOP')
            [CompletionResult]::new('BLPOP', 'BLPOP', [CompletionResultType]::ParameterValue, 'BLPOP')
            [CompletionResult]::new('BRPOP', 'BRPOP', [CompletionResultType]::ParameterValue, 'BRPOP')
            [CompletionResult]::new('BRPOPLPUSH', 'BRPOPLPUSH', [CompletionResultType]::ParameterValue, 'BRPOPLPUSH')
            [CompletionResult]::new('BZMPOP', 'BZMPOP', [CompletionResultType]::ParameterValue, 'BZMPOP')
            [CompletionResult]::new('BZPOPMAX', 'BZPOPMAX', [CompletionResultType]::ParameterValue, 'BZPOPMAX')
            [CompletionResult]::new('BZPOPMIN', 'BZPOPMIN', [CompletionResultType]::ParameterValue, 'BZPOPMIN')
            [CompletionResult]::new('CLIENT', 'CLIENT', [CompletionResultType]::ParameterValue, 'CLIENT')
            [CompletionResult]::new('CLUSTER', 'CLUSTER', [CompletionResultType]::ParameterValue, 'CLUSTER')
            [CompletionResult]::new('CLUSTERSCAN', 'CLUSTERSCAN', [CompletionResultType]::ParameterValue, 'CLUSTERSCAN')
            [CompletionResult]::new('COMMAND', 'COMMAND', [CompletionResultType]::ParameterValue, 'COMMAND')
            [CompletionResult]::new('COMMANDLOG', 'COMMANDLOG', [CompletionResultType]::ParameterValue, 'COMMANDLOG')
            [CompletionResult]::new('CONFIG', 'CONFIG', [CompletionResultType]::ParameterValue, 'CONFIG')
            [CompletionResult]::new('COPY', 'COPY', [CompletionResultType]::ParameterValue, 'COPY')
            [CompletionResult]::new('DBSIZE', 'DBSIZE', [CompletionResultType]::ParameterValue, 'DBSIZE')
            [CompletionResult]::new('DEBUG', 'DEBUG', [CompletionResultType]::ParameterValue, 'DEBUG')
            [CompletionResult]::new('DECR', 'DECR', [CompletionResultType]::ParameterValue, 'DECR')
            [CompletionResult]::new('DECRBY', 'DECRBY', [CompletionResultType]::ParameterValue, 'DECRBY')
            [CompletionResult]::new('DEL', 'DEL', [CompletionResultType]::ParameterValue, 'DEL')
            [CompletionResult]::new('DELIFEQ', 'DELIFEQ', [CompletionResultType]::ParameterValue, 'DELIFEQ')
            [CompletionResult]::new('DISCARD', 'DISCARD', [CompletionResultType]::ParameterValue, 'DISCARD')
            [CompletionResult]::new('DUMP', 'DUMP', [CompletionResultType]::ParameterValue, 'DUMP')
            [CompletionResult]::new('ECHO', 'ECHO', [CompletionResultType]::ParameterValue, 'ECHO')
            [CompletionResult]::new('EVAL', 'EVAL', [CompletionResultType]::ParameterValue, 'EVAL')
            [CompletionResult]::new('EVALSHA', 'EVALSHA', [CompletionResultType]::ParameterValue, 'EVALSHA')
            [CompletionResult]::new('EVALSHA_RO', 'EVALSHA_RO', [CompletionResultType]::ParameterValue, 'EVALSHA_RO')
            [CompletionResult]::new('EVAL_RO', 'EVAL_RO', [CompletionResultType]::ParameterValue, 'EVAL_RO')
            [CompletionResult]::new('EXEC', 'EXEC', [CompletionResultType]::ParameterValue, 'EXEC')
            [CompletionResult]::new('EXISTS', 'EXISTS', [CompletionResultType]::ParameterValue, 'EXISTS')
            [CompletionResult]::new('EXPIRE', 'EXPIRE', [CompletionResultType]::ParameterValue, 'EXPIRE')
            [CompletionResult]::new('EXPIREAT', 'EXPIREAT', [CompletionResultType]::ParameterValue, 'EXPIREAT')
            [CompletionResult]::new('EXPIRETIME', 'EXPIRETIME', [CompletionResultType]::ParameterValue, 'EXPIRETIME')
            [CompletionResult]::new('FAILOVER', 'FAILOVER', [CompletionResultType]::ParameterValue, 'FAILOVER')
            [CompletionResult]::new('FCALL', 'FCALL', [CompletionResultType]::ParameterValue, 'FCALL')
            [CompletionResult]::new('FCALL_RO', 'FCALL_RO', [CompletionResultType]::ParameterValue, 'FCALL_RO')
            [CompletionResult]::new('FLUSHALL', 'FLUSHALL', [CompletionResultType]::ParameterValue, 'FLUSHALL')
            [CompletionResult]::new('FLUSHDB', 'FLUSHDB', [CompletionResultType]::ParameterValue, 'FLUSHDB')
            [CompletionResult]::new('FUNCTION', 'FUNCTION', [CompletionResultType]::ParameterValue, 'FUNCTION')
            [CompletionResult]::new('GEOADD', 'GEOADD', [CompletionResultType]::ParameterValue, 'GEOADD')
            [CompletionResult]::new('GEODIST', 'GEODIST', [CompletionResultType]::ParameterValue, 'GEODIST')
            [CompletionResult]::new('GEOHASH', 'GEOHASH', [CompletionResultType]::ParameterValue, 'GEOHASH')
            [CompletionResult]::new('GEOPOS', 'GEOPOS', [CompletionResultType]::ParameterValue, 'GEOPOS')
            [CompletionResult]::new('GEORADIUS', 'GEORADIUS', [CompletionResultType]::ParameterValue, 'GEORADIUS')
            [CompletionResult]::new('GEORADIUSBYMEMBER', 'GEORADIUSBYMEMBER', [CompletionResultType]::ParameterValue, 'GEORADIUSBYMEMBER')
            [CompletionResult]::new('GEORADIUSBYMEMBER_RO', 'GEORADIUSBYMEMBER_RO', [CompletionResultType]::ParameterValue, 'GEORADIUSBYMEMBER_RO')
            [CompletionResult]::new('GEORADIUS_RO', 'GEORADIUS_RO', [CompletionResultType]::ParameterValue, 'GEORADIUS_RO')
            [CompletionResult]::new('GEOSEARCH', 'GEOSEARCH', [CompletionResultType]::ParameterValue, 'GEOSEARCH')
            [CompletionResult]::new('GEOSEARCHSTORE', 'GEOSEARCHSTORE', [CompletionResultType]::ParameterValue, 'GEOSEARCHSTORE')
            [CompletionResult]::new('GET', 'GET', [CompletionResultType]::ParameterValue, 'GET')
            [CompletionResult]::new('GETBIT', 'GETBIT', [CompletionResultType]::ParameterValue, 'GETBIT')
            [CompletionResult]::new('GETDEL', 'GETDEL', [CompletionResultType]::ParameterValue, 'GETDEL')
            [CompletionResult]::new('GETEX', 'GETEX', [CompletionResultType]::ParameterValue, 'GETEX')
            [CompletionResult]::new('GETRANGE', 'GETRANGE', [CompletionResultType]::ParameterValue, 'GETRANGE')
            [CompletionResult]::new('GETSET', 'GETSET', [CompletionResultType]::ParameterValue, 'GETSET')
            [CompletionResult]::new('HDEL', 'HDEL', [CompletionResultType]::ParameterValue, 'HDEL')
            [CompletionResult]::new('HELLO', 'HELLO', [CompletionResultType]::ParameterValue, 'HELLO')
            [CompletionResult]::new('HEXISTS', 'HEXISTS', [CompletionResultType]::ParameterValue, 'HEXISTS')
            [CompletionResult]::new('HEXPIRE', 'HEXPIRE', [CompletionResultType]::ParameterValue, 'HEXPIRE')
            [CompletionResult]::new('HEXPIREAT', 'HEXPIREAT', [CompletionResultType]::ParameterValue, 'HEXPIREAT')
            [CompletionResult]::new('HEXPIRETIME', 'HEXPIRETIME', [CompletionResultType]::ParameterValue, 'HEXPIRETIME')
            [CompletionResult]::new('HGET', 'HGET', [CompletionResultType]::ParameterValue, 'HGET')
            [CompletionResult]::new('HGETALL', 'HGETALL', [CompletionResultType]::ParameterValue, 'HGETALL')
            [CompletionResult]::new('HGETDEL', 'HGETDEL', [CompletionResultType]::ParameterValue, 'HGETDEL')
            [CompletionResult]::new('HGETEX', 'HGETEX', [CompletionResultType]::ParameterValue, 'HGETEX')
            [CompletionResult]::new('HINCRBY', 'HINCRBY', [CompletionResultType]::ParameterValue, 'HINCRBY')
            [CompletionResult]::new('HINCRBYFLOAT', 'HINCRBYFLOAT', [CompletionResultType]::ParameterValue, 'HINCRBYFLOAT')
            [CompletionResult]::new('HKEYS', 'HKEYS', [CompletionResultType]::ParameterValue, 'HKEYS')
            [CompletionResult]::new('HLEN', 'HLEN', [CompletionResultType]::ParameterValue, 'HLEN')
            [CompletionResult]::new('HMGET', 'HMGET', [CompletionResultType]::ParameterValue, 'HMGET')
            [CompletionResult]::new('HMSET', 'HMSET', [CompletionResultType]::ParameterValue, 'HMSET')
            [CompletionResult]::new('HPERSIST', 'HPERSIST', [CompletionResultType]::ParameterValue, 'HPERSIST')
            [CompletionResult]::new('HPEXPIRE', 'HPEXPIRE', [CompletionResultType]::ParameterValue, 'HPEXPIRE')
            [CompletionResult]::new('HPEXPIREAT', 'HPEXPIREAT', [CompletionResultType]::ParameterValue, 'HPEXPIREAT')
            [CompletionResult]::new('HPEXPIRETIME', 'HPEXPIRETIME', [CompletionResultType]::ParameterValue, 'HPEXPIRETIME')
            [CompletionResult]::new('HPTTL', 'HPTTL', [CompletionResultType]::ParameterValue, 'HPTTL')
            [CompletionResult]::new('HRANDFIELD', 'HRANDFIELD', [CompletionResultType]::ParameterValue, 'HRANDFIELD')
            [CompletionResult]::new('HSCAN', 'HSCAN', [CompletionResultType]::ParameterValue, 'HSCAN')
            [CompletionResult]::new('HSET', 'HSET', [CompletionResultType]::ParameterValue, 'HSET')
            [CompletionResult]::new('HSETEX', 'HSETEX', [CompletionResultType]::ParameterValue, 'HSETEX')
            [CompletionResult]::new('HSETNX', 'HSETNX', [CompletionResultType]::ParameterValue, 'HSETNX')
            [CompletionResult]::new('HSTRLEN', 'HSTRLEN', [CompletionResultType]::ParameterValue, 'HSTRLEN')
            [CompletionResult]::new('HTTL', 'HTTL', [CompletionResultType]::ParameterValue, 'HTTL')
            [CompletionResult]::new('HVALS', 'HVALS', [CompletionResultType]::ParameterValue, 'HVALS')
            [CompletionResult]::new('INCR', 'INCR', [CompletionResultType]::ParameterValue, 'INCR')
            [CompletionResult]::new('INCRBY', 'INCRBY', [CompletionResultType]::ParameterValue, 'INCRBY')
            [CompletionResult]::new('INCRBYFLOAT', 'INCRBYFLOAT', [CompletionResultType]::ParameterValue, 'INCRBYFLOAT')
            [CompletionResult]::new('INFO', 'INFO', [CompletionResultType]::ParameterValue, 'INFO')
            [CompletionResult]::new('KEYS', 'KEYS', [CompletionResultType]::ParameterValue, 'KEYS')
            [CompletionResult]::new('LASTSAVE', 'LASTSAVE', [CompletionResultType]::ParameterValue, 'LASTSAVE')
            [CompletionResult]::new('LATENCY', 'LATENCY', [CompletionResultType]::ParameterValue, 'LATENCY')
            [CompletionResult]::new('LCS', 'LCS', [CompletionResultType]::ParameterValue, 'LCS')
            [CompletionResult]::new('LINDEX', 'LINDEX', [CompletionResultType]::ParameterValue, 'LINDEX')
            [CompletionResult]::new('LINSERT', 'LINSERT', [CompletionResultType]::ParameterValue, 'LINSERT')
            [CompletionResult]::new('LLEN', 'LLEN', [CompletionResultType]::ParameterValue, 'LLEN')
            [CompletionResult]::new('LMOVE', 'LMOVE', [CompletionResultType]::ParameterValue, 'LMOVE')
            [CompletionResult]::new('LMPOP', 'LMPOP', [CompletionResultType]::ParameterValue, 'LMPOP')
            [CompletionResult]::new('LOLWUT', 'LOLWUT', [CompletionResultType]::ParameterValue, 'LOLWUT')
            [CompletionResult]::new('LPOP', 'LPOP', [CompletionResultType]::ParameterValue, 'LPOP')
            [CompletionResult]::new('LPOS', 'LPOS', [CompletionResultType]::ParameterValue, 'LPOS')
            [CompletionResult]::new('LPUSH', 'LPUSH', [CompletionResultType]::ParameterValue, 'LPUSH')
            [CompletionResult]::new('LPUSHX', 'LPUSHX', [CompletionResultType]::ParameterValue, 'LPUSHX')
            [CompletionResult]::new('LRANGE', 'LRANGE', [CompletionResultType]::ParameterValue, 'LRANGE')
            [CompletionResult]::new('LREM', 'LREM', [CompletionResultType]::ParameterValue, 'LREM')
            [CompletionResult]::new('LSET', 'LSET', [CompletionResultType]::ParameterValue, 'LSET')
            [CompletionResult]::new('LTRIM', 'LTRIM', [CompletionResultType]::ParameterValue, 'LTRIM')
            [CompletionResult]::new('MEMORY', 'MEMORY', [CompletionResultType]::ParameterValue, 'MEMORY')
            [CompletionResult]::new('MGET', 'MGET', [CompletionResultType]::ParameterValue, 'MGET')
            [CompletionResult]::new('MIGRATE', 'MIGRATE', [CompletionResultType]::ParameterValue, 'MIGRATE')
            [CompletionResult]::new('MODULE', 'MODULE', [CompletionResultType]::ParameterValue, 'MODULE')
            [CompletionResult]::new('MONITOR', 'MONITOR', [CompletionResultType]::ParameterValue, 'MONITOR')
            [CompletionResult]::new('MOVE', 'MOVE', [CompletionResultType]::ParameterValue, 'MOVE')
            [CompletionResult]::new('MSET', 'MSET', [CompletionResultType]::ParameterValue, 'MSET')
            [CompletionResult]::new('MSETEX', 'MSETEX', [CompletionResultType]::ParameterValue, 'MSETEX')
            [CompletionResult]::new('MSETNX', 'MSETNX', [CompletionResultType]::ParameterValue, 'MSETNX')
            [CompletionResult]::new('MULTI', 'MULTI', [CompletionResultType]::ParameterValue, 'MULTI')
            [CompletionResult]::new('OBJECT', 'OBJECT', [CompletionResultType]::ParameterValue, 'OBJECT')
            [CompletionResult]::new('PERSIST', 'PERSIST', [CompletionResultType]::ParameterValue, 'PERSIST')
            [CompletionResult]::new('PEXPIRE', 'PEXPIRE', [CompletionResultType]::ParameterValue, 'PEXPIRE')
            [CompletionResult]::new('PEXPIREAT', 'PEXPIREAT', [CompletionResultType]::ParameterValue, 'PEXPIREAT')
            [CompletionResult]::new('PEXPIRETIME', 'PEXPIRETIME', [CompletionResultType]::ParameterValue, 'PEXPIRETIME')
            [CompletionResult]::new('PFADD', 'PFADD', [CompletionResultType]::ParameterValue, 'PFADD')
            [CompletionResult]::new('PFCOUNT', 'PFCOUNT', [CompletionResultType]::ParameterValue, 'PFCOUNT')
            [CompletionResult]::new('PFDEBUG', 'PFDEBUG', [CompletionResultType]::ParameterValue, 'PFDEBUG')
            [CompletionResult]::new('PFMERGE', 'PFMERGE', [CompletionResultType]::ParameterValue, 'PFMERGE')
            [CompletionResult]::new('PFSELFTEST', 'PFSELFTEST', [CompletionResultType]::ParameterValue, 'PFSELFTEST')
            [CompletionResult]::new('PING', 'PING', [CompletionResultType]::ParameterValue, 'PING')
            [CompletionResult]::new('PSETEX', 'PSETEX', [CompletionResultType]::ParameterValue, 'PSETEX')
            [CompletionResult]::new('PSUBSCRIBE', 'PSUBSCRIBE', [CompletionResultType]::ParameterValue, 'PSUBSCRIBE')
            [CompletionResult]::new('PSYNC', 'PSYNC', [CompletionResultType]::ParameterValue, 'PSYNC')
            [CompletionResult]::new('PTTL', 'PTTL', [CompletionResultType]::ParameterValue, 'PTTL')
            [CompletionResult]::new('PUBLISH', 'PUBLISH', [CompletionResultType]::ParameterValue, 'PUBLISH')
            [CompletionResult]::new('PUBSUB', 'PUBSUB', [CompletionResultType]::ParameterValue, 'PUBSUB')
            [CompletionResult]::new('PUNSUBSCRIBE', 'PUNSUBSCRIBE', [CompletionResultType]::ParameterValue, 'PUNSUBSCRIBE')
            [CompletionResult]::new('QUIT', 'QUIT', [CompletionResultType]::ParameterValue, 'QUIT')
            [CompletionResult]::new('RANDOMKEY', 'RANDOMKEY', [CompletionResultType]::ParameterValue, 'RANDOMKEY')
            [CompletionResult]::new('READONLY', 'READONLY', [CompletionResultType]::ParameterValue, 'READONLY')
            [CompletionResult]::new('READWRITE', 'READWRITE', [CompletionResultType]::ParameterValue, 'READWRITE')
            [CompletionResult]::new('RENAME', 'RENAME', [CompletionResultType]::ParameterValue, 'RENAME')
            [CompletionResult]::new('RENAMENX', 'RENAMENX', [CompletionResultType]::ParameterValue, 'RENAMENX')
            [CompletionResult]::new('REPLCONF', 'REPLCONF', [CompletionResultType]::ParameterValue, 'REPLCONF')
            [CompletionResult]::new('REPLICAOF', 'REPLICAOF', [CompletionResultType]::ParameterValue, 'REPLICAOF')
            [CompletionResult]::new('RESET', 'RESET', [CompletionResultType]::ParameterValue, 'RESET')
            [CompletionResult]::new('RESTORE', 'RESTORE', [CompletionResultType]::ParameterValue, 'RESTORE')
            [CompletionResult]::new('RESTORE-ASKING', 'RESTORE-ASKING', [CompletionResultType]::ParameterValue, 'RESTORE-ASKING')
            [CompletionResult]::new('ROLE', 'ROLE', [CompletionResultType]::ParameterValue, 'ROLE')
            [CompletionResult]::new('RPOP', 'RPOP', [CompletionResultType]::ParameterValue, 'RPOP')
            [CompletionResult]::new('RPOPLPUSH', 'RPOPLPUSH', [CompletionResultType]::ParameterValue, 'RPOPLPUSH')
            [CompletionResult]::new('RPUSH', 'RPUSH', [CompletionResultType]::ParameterValue, 'RPUSH')
            [CompletionResult]::new('RPUSHX', 'RPUSHX', [CompletionResultType]::ParameterValue, 'RPUSHX')
            [CompletionResult]::new('SADD', 'SADD', [CompletionResultType]::ParameterValue, 'SADD')
            [CompletionResult]::new('SAVE', 'SAVE', [CompletionResultType]::ParameterValue, 'SAVE')
            [CompletionResult]::new('SCAN', 'SCAN', [CompletionResultType]::ParameterValue, 'SCAN')
            [CompletionResult]::new('SCARD', 'SCARD', [CompletionResultType]::ParameterValue, 'SCARD')
            [CompletionResult]::new('SCRIPT', 'SCRIPT', [CompletionResultType]::ParameterValue, 'SCRIPT')
            [CompletionResult]::new('SDIFF', 'SDIFF', [CompletionResultType]::ParameterValue, 'SDIFF')
            [CompletionResult]::new('SDIFFSTORE', 'SDIFFSTORE', [CompletionResultType]::ParameterValue, 'SDIFFSTORE')
            [CompletionResult]::new('SELECT', 'SELECT', [CompletionResultType]::ParameterValue, 'SELECT')
            [CompletionResult]::new('SET', 'SET', [CompletionResultType]::ParameterValue, 'SET')
            [CompletionResult]::new('SETBIT', 'SETBIT', [CompletionResultType]::ParameterValue, 'SETBIT')
            [CompletionResult]::new('SETEX', 'SETEX', [CompletionResultType]::ParameterValue, 'SETEX')
            [CompletionResult]::new('SETNX', 'SETNX', [CompletionResultType]::ParameterValue, 'SETNX')
            [CompletionResult]::new('SETRANGE', 'SETRANGE', [CompletionResultType]::ParameterValue, 'SETRANGE')
            [CompletionResult]::new('SHUTDOWN', 'SHUTDOWN', [CompletionResultType]::ParameterValue, 'SHUTDOWN')
            [CompletionResult]::new('SINTER', 'SINTER', [CompletionResultType]::ParameterValue, 'SINTER')
            [CompletionResult]::new('SINTERCARD', 'SINTERCARD', [CompletionResultType]::ParameterValue, 'SINTERCARD')
            [CompletionResult]::new('SINTERSTORE', 'SINTERSTORE', [CompletionResultType]::ParameterValue, 'SINTERSTORE')
            [CompletionResult]::new('SISMEMBER', 'SISMEMBER', [CompletionResultType]::ParameterValue, 'SISMEMBER')
            [CompletionResult]::new('SLAVEOF', 'SLAVEOF', [CompletionResultType]::ParameterValue, 'SLAVEOF')
            [CompletionResult]::new('SLOWLOG', 'SLOWLOG', [CompletionResultType]::ParameterValue, 'SLOWLOG')
            [CompletionResult]::new('SMEMBERS', 'SMEMBERS', [CompletionResultType]::ParameterValue, 'SMEMBERS')
            [CompletionResult]::new('SMISMEMBER', 'SMISMEMBER', [CompletionResultType]::ParameterValue, 'SMISMEMBER')
            [CompletionResult]::new('SMOVE', 'SMOVE', [CompletionResultType]::ParameterValue, 'SMOVE')
            [CompletionResult]::new('SORT', 'SORT', [CompletionResultType]::ParameterValue, 'SORT')
            [CompletionResult]::new('SORT_RO', 'SORT_RO', [CompletionResultType]::ParameterValue, 'SORT_RO')
            [CompletionResult]::new('SPOP', 'SPOP', [CompletionResultType]::ParameterValue, 'SPOP')
            [CompletionResult]::new('SPUBLISH', 'SPUBLISH', [CompletionResultType]::ParameterValue, 'SPUBLISH')
            [CompletionResult]::new('SRANDMEMBER', 'SRANDMEMBER', [CompletionResultType]::ParameterValue, 'SRANDMEMBER')
            [CompletionResult]::new('SREM', 'SREM', [CompletionResultType]::ParameterValue, 'SREM')
            [CompletionResult]::new('SSCAN', 'SSCAN', [CompletionResultType]::ParameterValue, 'SSCAN')
            [CompletionResult]::new('SSUBSCRIBE', 'SSUBSCRIBE', [CompletionResultType]::ParameterValue, 'SSUBSCRIBE')
            [CompletionResult]::new('STRLEN', 'STRLEN', [CompletionResultType]::ParameterValue, 'STRLEN')
            [CompletionResult]::new('SUBSCRIBE', 'SUBSCRIBE', [CompletionResultType]::ParameterValue, 'SUBSCRIBE')
            [CompletionResult]::new('SUBSTR', 'SUBSTR', [CompletionResultType]::ParameterValue, 'SUBSTR')
            [CompletionResult]::new('SUNION', 'SUNION', [CompletionResultType]::ParameterValue, 'SUNION')
            [CompletionResult]::new('SUNIONSTORE', 'SUNIONSTORE', [CompletionResultType]::ParameterValue, 'SUNIONSTORE')
            [CompletionResult]::new('SUNSUBSCRIBE', 'SUNSUBSCRIBE', [CompletionResultType]::ParameterValue, 'SUNSUBSCRIBE')
            [CompletionResult]::new('SWAPDB', 'SWAPDB', [CompletionResultType]::ParameterValue, 'SWAPDB')
            [CompletionResult]::new('SYNC', 'SYNC', [CompletionResultType]::ParameterValue, 'SYNC')
            [CompletionResult]::new('TIME', 'TIME', [CompletionResultType]::ParameterValue, 'TIME')
            [CompletionResult]::new('TOUCH', 'TOUCH', [CompletionResultType]::ParameterValue, 'TOUCH')
            [CompletionResult]::new('TTL', 'TTL', [CompletionResultType]::ParameterValue, 'TTL')
            [CompletionResult]::new('TYPE', 'TYPE', [CompletionResultType]::ParameterValue, 'TYPE')
            [CompletionResult]::new('UNLINK', 'UNLINK', [CompletionResultType]::ParameterValue, 'UNLINK')
            [CompletionResult]::new('UNSUBSCRIBE', 'UNSUBSCRIBE', [CompletionResultType]::ParameterValue, 'UNSUBSCRIBE')
            [CompletionResult]::new('UNWATCH', 'UNWATCH', [CompletionResultType]::ParameterValue, 'UNWATCH')
            [CompletionResult]::new('WAIT', 'WAIT', [CompletionResultType]::ParameterValue, 'WAIT')
            [CompletionResult]::new('WAITAOF', 'WAITAOF', [CompletionResultType]::ParameterValue, 'WAITAOF')
            [CompletionResult]::new('WATCH', 'WATCH', [CompletionResultType]::ParameterValue, 'WATCH')
            [CompletionResult]::new('XACK', 'XACK', [CompletionResultType]::ParameterValue, 'XACK')
            [CompletionResult]::new('XACKDEL', 'XACKDEL', [CompletionResultType]::ParameterValue, 'XACKDEL')
            [CompletionResult]::new('XADD', 'XADD', [CompletionResultType]::ParameterValue, 'XADD')
            [CompletionResult]::new('XAUTOCLAIM', 'XAUTOCLAIM', [CompletionResultType]::ParameterValue, 'XAUTOCLAIM')
            [CompletionResult]::new('XCLAIM', 'XCLAIM', [CompletionResultType]::ParameterValue, 'XCLAIM')
            [CompletionResult]::new('XDEL', 'XDEL', [CompletionResultType]::ParameterValue, 'XDEL')
            [CompletionResult]::new('XDELEX', 'XDELEX', [CompletionResultType]::ParameterValue, 'XDELEX')
            [CompletionResult]::new('XGROUP', 'XGROUP', [CompletionResultType]::ParameterValue, 'XGROUP')
            [CompletionResult]::new('XINFO', 'XINFO', [CompletionResultType]::ParameterValue, 'XINFO')
            [CompletionResult]::new('XLEN', 'XLEN', [CompletionResultType]::ParameterValue, 'XLEN')
            [CompletionResult]::new('XPENDING', 'XPENDING', [CompletionResultType]::ParameterValue, 'XPENDING')
            [CompletionResult]::new('XRANGE', 'XRANGE', [CompletionResultType]::ParameterValue, 'XRANGE')
            [CompletionResult]::new('XREAD', 'XREAD', [CompletionResultType]::ParameterValue, 'XREAD')
            [CompletionResult]::new('XREADGROUP', 'XREADGROUP', [CompletionResultType]::ParameterValue, 'XREADGROUP')
            [CompletionResult]::new('XREVRANGE', 'XREVRANGE', [CompletionResultType]::ParameterValue, 'XREVRANGE')
            [CompletionResult]::new('XSETID', 'XSETID', [CompletionResultType]::ParameterValue, 'XSETID')
            [CompletionResult]::new('XTRIM', 'XTRIM', [CompletionResultType]::ParameterValue, 'XTRIM')
            [CompletionResult]::new('ZADD', 'ZADD', [CompletionResultType]::ParameterValue, 'ZADD')
            [CompletionResult]::new('ZCARD', 'ZCARD', [CompletionResultType]::ParameterValue, 'ZCARD')
            [CompletionResult]::new('ZCOUNT', 'ZCOUNT', [CompletionResultType]::ParameterValue, 'ZCOUNT')
            [CompletionResult]::new('ZDIFF', 'ZDIFF', [CompletionResultType]::ParameterValue, 'ZDIFF')
            [CompletionResult]::new('ZDIFFSTORE', 'ZDIFFSTORE', [CompletionResultType]::ParameterValue, 'ZDIFFSTORE')
            [CompletionResult]::new('ZINCRBY', 'ZINCRBY', [CompletionResultType]::ParameterValue, 'ZINCRBY')
            [CompletionResult]::new('ZINTER', 'ZINTER', [CompletionResultType]::ParameterValue, 'ZINTER')
            [CompletionResult]::new('ZINTERCARD', 'ZINTERCARD', [CompletionResultType]::ParameterValue, 'ZINTERCARD')
            [CompletionResult]::new('ZINTERSTORE', 'ZINTERSTORE', [CompletionResultType]::ParameterValue, 'ZINTERSTORE')
            [CompletionResult]::new('ZLEXCOUNT', 'ZLEXCOUNT', [CompletionResultType]::ParameterValue, 'ZLEXCOUNT')
            [CompletionResult]::new('ZMPOP', 'ZMPOP', [CompletionResultType]::ParameterValue, 'ZMPOP')
            [CompletionResult]::new('ZMSCORE', 'ZMSCORE', [CompletionResultType]::ParameterValue, 'ZMSCORE')
            [CompletionResult]::new('ZPOPMAX', 'ZPOPMAX', [CompletionResultType]::ParameterValue, 'ZPOPMAX')
            [CompletionResult]::new('ZPOPMIN', 'ZPOPMIN', [CompletionResultType]::ParameterValue, 'ZPOPMIN')
            [CompletionResult]::new('ZRANDMEMBER', 'ZRANDMEMBER', [CompletionResultType]::ParameterValue, 'ZRANDMEMBER')
            [CompletionResult]::new('ZRANGE', 'ZRANGE', [CompletionResultType]::ParameterValue, 'ZRANGE')
            [CompletionResult]::new('ZRANGEBYLEX', 'ZRANGEBYLEX', [CompletionResultType]::ParameterValue, 'ZRANGEBYLEX')
            [CompletionResult]::new('ZRANGEBYSCORE', 'ZRANGEBYSCORE', [CompletionResultType]::ParameterValue, 'ZRANGEBYSCORE')
            [CompletionResult]::new('ZRANGESTORE', 'ZRANGESTORE', [CompletionResultType]::ParameterValue, 'ZRANGESTORE')
            [CompletionResult]::new('ZRANK', 'ZRANK', [CompletionResultType]::ParameterValue, 'ZRANK')
            [CompletionResult]::new('ZREM', 'ZREM', [CompletionResultType]::ParameterValue, 'ZREM')
            [CompletionResult]::new('ZREMRANGEBYLEX', 'ZREMRANGEBYLEX', [CompletionResultType]::ParameterValue, 'ZREMRANGEBYLEX')
            [CompletionResult]::new('ZREMRANGEBYRANK', 'ZREMRANGEBYRANK', [CompletionResultType]::ParameterValue, 'ZREMRANGEBYRANK')
            [CompletionResult]::new('ZREMRANGEBYSCORE', 'ZREMRANGEBYSCORE', [CompletionResultType]::ParameterValue, 'ZREMRANGEBYSCORE')
            [CompletionResult]::new('ZREVRANGE', 'ZREVRANGE', [CompletionResultType]::ParameterValue, 'ZREVRANGE')
            [CompletionResult]::new('ZREVRANGEBYLEX', 'ZREVRANGEBYLEX', [CompletionResultType]::ParameterValue, 'ZREVRANGEBYLEX')
            [CompletionResult]::new('ZREVRANGEBYSCORE', 'ZREVRANGEBYSCORE', [CompletionResultType]::ParameterValue, 'ZREVRANGEBYSCORE')
            [CompletionResult]::new('ZREVRANK', 'ZREVRANK', [CompletionResultType]::ParameterValue, 'ZREVRANK')
            [CompletionResult]::new('ZSCAN', 'ZSCAN', [CompletionResultType]::ParameterValue, 'ZSCAN')
            [CompletionResult]::new('ZSCORE', 'ZSCORE', [CompletionResultType]::ParameterValue, 'ZSCORE')
            [CompletionResult]::new('ZUNION', 'ZUNION', [CompletionResultType]::ParameterValue, 'ZUNION')
            [CompletionResult]::new('ZUNIONSTORE', 'ZUNIONSTORE', [CompletionResultType]::ParameterValue, 'ZUNIONSTORE')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rcli;exec;ACL' {
            break
        }
        'rcli;exec;APPEND' {
            break
        }
        'rcli;exec;ASKING' {
            break
        }
        'rcli;exec;AUTH' {
            break
        }
        'rcli;exec;BGREWRITEAOF' {
            break
        }
        'rcli;exec;BGSAVE' {
            break
        }
        'rcli;exec;BITCOUNT' {
            break
        }
        'rcli;exec;BITFIELD' {
            break
        }
        'rcli;exec;BITFIELD_RO' {
            break
        }
        'rcli;exec;BITOP' {
            break
        }
        'rcli;exec;BITPOS' {
            break
        }
        'rcli;exec;BLMOVE' {
            break
        }
        'rcli;exec;BLMPOP' {
            break
        }
        'rcli;exec;BLPOP' {
            break
        }
        'rcli;exec;BRPOP' {
            break
        }
        'rcli;exec;BRPOPLPUSH' {
            break
        }
        'rcli;exec;BZMPOP' {
            break
        }
        'rcli;exec;BZPOPMAX' {
            break
        }
        'rcli;exec;BZPOPMIN' {
            break
        }
        'rcli;exec;CLIENT' {
            break
        }
        'rcli;exec;CLUSTER' {
            break
        }
        'rcli;exec;CLUSTERSCAN' {
            break
        }
        'rcli;exec;COMMAND' {
            break
        }
        'rcli;exec;COMMANDLOG' {
            break
        }
        'rcli;exec;CONFIG' {
            break
        }
        'rcli;exec;COPY' {
            break
        }
        'rcli;exec;DBSIZE' {
            break
        }
        'rcli;exec;DEBUG' {
            break
        }
        'rcli;exec;DECR' {
            break
        }
        'rcli;exec;DECRBY' {
            break
        }
        'rcli;exec;DEL' {
            break
        }
        'rcli;exec;DELIFEQ' {
            break
        }
        'rcli;exec;DISCARD' {
            break
        }
        'rcli;exec;DUMP' {
            break
        }
        'rcli;exec;ECHO' {
            break
        }
        'rcli;exec;EVAL' {
            break
        }
        'rcli;exec;EVALSHA' {
            break
        }
        'rcli;exec;EVALSHA_RO' {
            break
        }
        'rcli;exec;EVAL_RO' {
            break
        }
        'rcli;exec;EXEC' {
            break
        }
        'rcli;exec;EXISTS' {
            break
        }
        'rcli;exec;EXPIRE' {
            break
        }
        'rcli;exec;EXPIREAT' {
            break
        }
        'rcli;exec;EXPIRETIME' {
            break
        }
        'rcli;exec;FAILOVER' {
            break
        }
        'rcli;exec;FCALL' {
            break
        }
        'rcli;exec;FCALL_RO' {
            break
        }
        'rcli;exec;FLUSHALL' {
            break
        }
        'rcli;exec;FLUSHDB' {
            break
        }
        'rcli;exec;FUNCTION' {
            break
        }
        'rcli;exec;GEOADD' {
            break
        }
        'rcli;exec;GEODIST' {
            break
        }
        'rcli;exec;GEOHASH' {
            break
        }
        'rcli;exec;GEOPOS' {
            break
        }
        'rcli;exec;GEORADIUS' {
            break
        }
        'rcli;exec;GEORADIUSBYMEMBER' {
            break
        }
        'rcli;exec;GEORADIUSBYMEMBER_RO' {
            break
        }
        'rcli;exec;GEORADIUS_RO' {
            break
        }
        'rcli;exec;GEOSEARCH' {
            break
        }
        'rcli;exec;GEOSEARCHSTORE' {
            break
        }
        'rcli;exec;GET' {
            break
        }
        'rcli;exec;GETBIT' {
            break
        }
        'rcli;exec;GETDEL' {
            break
        }
        'rcli;exec;GETEX' {
            break
        }
        'rcli;exec;GETRANGE' {
            break
        }
        'rcli;exec;GETSET' {
            break
        }
        'rcli;exec;HDEL' {
            break
        }
        'rcli;exec;HELLO' {
            break
        }
        'rcli;exec;HEXISTS' {
            break
        }
        'rcli;exec;HEXPIRE' {
            break
        }
        'rcli;exec;HEXPIREAT' {
            break
        }
        'rcli;exec;HEXPIRETIME' {
            break
        }
        'rcli;exec;HGET' {
            break
        }
        'rcli;exec;HGETALL' {
            break
        }
        'rcli;exec;HGETDEL' {
            break
        }
        'rcli;exec;HGETEX' {
            break
        }
        'rcli;exec;HINCRBY' {
            break
        }
        'rcli;exec;HINCRBYFLOAT' {
            break
        }
        'rcli;exec;HKEYS' {
            break
        }
        'rcli;exec;HLEN' {
            break
        }
        'rcli;exec;HMGET' {
            break
        }
        'rcli;exec;HMSET' {
            break
        }
        'rcli;exec;HPERSIST' {
            break
        }
        'rcli;exec;HPEXPIRE' {
            break
        }
        'rcli;exec;HPEXPIREAT' {
            break
        }
        'rcli;exec;HPEXPIRETIME' {
            break
        }
        'rcli;exec;HPTTL' {
            break
        }
        'rcli;exec;HRANDFIELD' {
            break
        }
        'rcli;exec;HSCAN' {
            break
        }
        'rcli;exec;HSET' {
            break
        }
        'rcli;exec;HSETEX' {
            break
        }
        'rcli;exec;HSETNX' {
            break
        }
        'rcli;exec;HSTRLEN' {
            break
        }
        'rcli;exec;HTTL' {
            break
        }
        'rcli;exec;HVALS' {
            break
        }
        'rcli;exec;INCR' {
            break
        }
        'rcli;exec;INCRBY' {
            break
        }
        'rcli;exec;INCRBYFLOAT' {
            break
        }
        'rcli;exec;INFO' {
            break
        }
        'rcli;exec;KEYS' {
            break
        }
        'rcli;exec;LASTSAVE' {
            break
        }
        'rcli;exec;LATENCY' {
            break
        }
        'rcli;exec;LCS' {
            break
        }
        'rcli;exec;LINDEX' {
            break
        }
        'rcli;exec;LINSERT' {
            break
        }
        'rcli;exec;LLEN' {
            break
        }
        'rcli;exec;LMOVE' {
            break
        }
        'rcli;exec;LMPOP' {
            break
        }
        'rcli;exec;LOLWUT' {
            break
        }
        'rcli;exec;LPOP' {
            break
        }
        'rcli;exec;LPOS' {
            break
        }
        'rcli;exec;LPUSH' {
            break
        }
        'rcli;exec;LPUSHX' {
            break
        }
        'rcli;exec;LRANGE' {
            break
        }
        'rcli;exec;LREM' {
            break
        }
        'rcli;exec;LSET' {
            break
        }
        'rcli;exec;LTRIM' {
            break
        }
        'rcli;exec;MEMORY' {
            break
        }
        'rcli;exec;MGET' {
            break
        }
        'rcli;exec;MIGRATE' {
            break
        }
        'rcli;exec;MODULE' {
            break
        }
        'rcli;exec;MONITOR' {
            break
        }
        'rcli;exec;MOVE' {
            break
        }
        'rcli;exec;MSET' {
            break
        }
        'rcli;exec;MSETEX' {
            break
        }
        'rcli;exec;MSETNX' {
            break
        }
        'rcli;exec;MULTI' {
            break
        }
        'rcli;exec;OBJECT' {
            break
        }
        'rcli;exec;PERSIST' {
            break
        }
        'rcli;exec;PEXPIRE' {
            break
        }
        'rcli;exec;PEXPIREAT' {
            break
        }
        'rcli;exec;PEXPIRETIME' {
            break
        }
        'rcli;exec;PFADD' {
            break
        }
        'rcli;exec;PFCOUNT' {
            break
        }
        'rcli;exec;PFDEBUG' {
            break
        }
        'rcli;exec;PFMERGE' {
            break
        }
        'rcli;exec;PFSELFTEST' {
            break
        }
        'rcli;exec;PING' {
            break
        }
        'rcli;exec;PSETEX' {
            break
        }
        'rcli;exec;PSUBSCRIBE' {
            break
        }
        'rcli;exec;PSYNC' {
            break
        }
        'rcli;exec;PTTL' {
            break
        }
        'rcli;exec;PUBLISH' {
            break
        }
        'rcli;exec;PUBSUB' {
            break
        }
        'rcli;exec;PUNSUBSCRIBE' {
            break
        }
        'rcli;exec;QUIT' {
            break
        }
        'rcli;exec;RANDOMKEY' {
            break
        }
        'rcli;exec;READONLY' {
            break
        }
        'rcli;exec;READWRITE' {
            break
        }
        'rcli;exec;RENAME' {
            break
        }
        'rcli;exec;RENAMENX' {
            break
        }
        'rcli;exec;REPLCONF' {
            break
        }
        'rcli;exec;REPLICAOF' {
            break
        }
        'rcli;exec;RESET' {
            break
        }
        'rcli;exec;RESTORE' {
            break
        }
        'rcli;exec;RESTORE-ASKING' {
            break
        }
        'rcli;exec;ROLE' {
            break
        }
        'rcli;exec;RPOP' {
            break
        }
        'rcli;exec;RPOPLPUSH' {
            break
        }
        'rcli;exec;RPUSH' {
            break
        }
        'rcli;exec;RPUSHX' {
            break
        }
        'rcli;exec;SADD' {
            break
        }
        'rcli;exec;SAVE' {
            break
        }
        'rcli;exec;SCAN' {
            break
        }
        'rcli;exec;SCARD' {
            break
        }
        'rcli;exec;SCRIPT' {
            break
        }
        'rcli;exec;SDIFF' {
            break
        }
        'rcli;exec;SDIFFSTORE' {
            break
        }
        'rcli;exec;SELECT' {
            break
        }
        'rcli;exec;SET' {
            break
        }
        'rcli;exec;SETBIT' {
            break
        }
        'rcli;exec;SETEX' {
            break
        }
        'rcli;exec;SETNX' {
            break
        }
        'rcli;exec;SETRANGE' {
            break
        }
        'rcli;exec;SHUTDOWN' {
            break
        }
        'rcli;exec;SINTER' {
            break
        }
        'rcli;exec;SINTERCARD' {
            break
        }
        'rcli;exec;SINTERSTORE' {
            break
        }
        'rcli;exec;SISMEMBER' {
            break
        }
        'rcli;exec;SLAVEOF' {
            break
        }
        'rcli;exec;SLOWLOG' {
            break
        }
        'rcli;exec;SMEMBERS' {
            break
        }
        'rcli;exec;SMISMEMBER' {
            break
        }
        'rcli;exec;SMOVE' {
            break
        }
        'rcli;exec;SORT' {
            break
        }
        'rcli;exec;SORT_RO' {
            break
        }
        'rcli;exec;SPOP' {
            break
        }
        'rcli;exec;SPUBLISH' {
            break
        }
        'rcli;exec;SRANDMEMBER' {
            break
        }
        'rcli;exec;SREM' {
            break
        }
        'rcli;exec;SSCAN' {
            break
        }
        'rcli;exec;SSUBSCRIBE' {
            break
        }
        'rcli;exec;STRLEN' {
            break
        }
        'rcli;exec;SUBSCRIBE' {
            break
        }
        'rcli;exec;SUBSTR' {
            break
        }
        'rcli;exec;SUNION' {
            break
        }
        'rcli;exec;SUNIONSTORE' {
            break
        }
        'rcli;exec;SUNSUBSCRIBE' {
            break
        }
        'rcli;exec;SWAPDB' {
            break
        }
        'rcli;exec;SYNC' {
            break
        }
        'rcli;exec;TIME' {
            break
        }
        'rcli;exec;TOUCH' {
            break
        }
        'rcli;exec;TTL' {
            break
        }
        'rcli;exec;TYPE' {
            break
        }
        'rcli;exec;UNLINK' {
            break
        }
        'rcli;exec;UNSUBSCRIBE' {
            break
        }
        'rcli;exec;UNWATCH' {
            break
        }
        'rcli;exec;WAIT' {
            break
        }
        'rcli;exec;WAITAOF' {
            break
        }
        'rcli;exec;WATCH' {
            break
        }
        'rcli;exec;XACK' {
            break
        }
        'rcli;exec;XACKDEL' {
            break
        }
        'rcli;exec;XADD' {
            break
        }
        'rcli;exec;XAUTOCLAIM' {
            break
        }
        'rcli;exec;XCLAIM' {
            break
        }
        'rcli;exec;XDEL' {
            break
        }
        'rcli;exec;XDELEX' {
            break
        }
        'rcli;exec;XGROUP' {
            break
        }
        'rcli;exec;XINFO' {
            break
        }
        'rcli;exec;XLEN' {
            break
        }
        'rcli;exec;XPENDING' {
            break
        }
        'rcli;exec;XRANGE' {
            break
        }
        'rcli;exec;XREAD' {
            break
        }
        'rcli;exec;XREADGROUP' {
            break
        }
        'rcli;exec;XREVRANGE' {
            break
        }
        'rcli;exec;XSETID' {
            break
        }
        'rcli;exec;XTRIM' {
            break
        }
        'rcli;exec;ZADD' {
            break
        }
        'rcli;exec;ZCARD' {
            break
        }
        'rcli;exec;ZCOUNT' {
            break
        }
        'rcli;exec;ZDIFF' {
            break
        }
        'rcli;exec;ZDIFFSTORE' {
            break
        }
        'rcli;exec;ZINCRBY' {
            break
        }
        'rcli;exec;ZINTER' {
            break
        }
        'rcli;exec;ZINTERCARD' {
            break
        }
        'rcli;exec;ZINTERSTORE' {
            break
        }
        'rcli;exec;ZLEXCOUNT' {
            break
        }
        'rcli;exec;ZMPOP' {
            break
        }
        'rcli;exec;ZMSCORE' {
            break
        }
        'rcli;exec;ZPOPMAX' {
            break
        }
        'rcli;exec;ZPOPMIN' {
            break
        }
        'rcli;exec;ZRANDMEMBER' {
            break
        }
        'rcli;exec;ZRANGE' {
            break
        }
        'rcli;exec;ZRANGEBYLEX' {
            break
        }
        'rcli;exec;ZRANGEBYSCORE' {
            break
        }
        'rcli;exec;ZRANGESTORE' {
            break
        }
        'rcli;exec;ZRANK' {
            break
        }
        'rcli;exec;ZREM' {
            break
        }
        'rcli;exec;ZREMRANGEBYLEX' {
            break
        }
        'rcli;exec;ZREMRANGEBYRANK' {
            break
        }
        'rcli;exec;ZREMRANGEBYSCORE' {
            break
        }
        'rcli;exec;ZREVRANGE' {
            break
        }
        'rcli;exec;ZREVRANGEBYLEX' {
            break
        }
        'rcli;exec;ZREVRANGEBYSCORE' {
            break
        }
        'rcli;exec;ZREVRANK' {
            break
        }
        'rcli;exec;ZSCAN' {
            break
        }
        'rcli;exec;ZSCORE' {
            break
        }
        'rcli;exec;ZUNION' {
            break
        }
        'rcli;exec;ZUNIONSTORE' {
            break
        }
        'rcli;exec;help' {
            [CompletionResult]::new('ACL', 'ACL', [CompletionResultType]::ParameterValue, 'ACL')
            [CompletionResult]::new('APPEND', 'APPEND', [CompletionResultType]::ParameterValue, 'APPEND')
            [CompletionResult]::new('ASKING', 'ASKING', [CompletionResultType]::ParameterValue, 'ASKING')
            [CompletionResult]::new('AUTH', 'AUTH', [CompletionResultType]::ParameterValue, 'AUTH')
            [CompletionResult]::new('BGREWRITEAOF', 'BGREWRITEAOF', [CompletionResultType]::ParameterValue, 'BGREWRITEAOF')
            [CompletionResult]::new('BGSAVE', 'BGSAVE', [CompletionResultType]::ParameterValue, 'BGSAVE')
            [CompletionResult]::new('BITCOUNT', 'BITCOUNT', [CompletionResultType]::ParameterValue, 'BITCOUNT')
            [CompletionResult]::new('BITFIELD', 'BITFIELD', [CompletionResultType]::ParameterValue, 'BITFIELD')
            [CompletionResult]::new('BITFIELD_RO', 'BITFIELD_RO', [CompletionResultType]::ParameterValue, 'BITFIELD_RO')
            [CompletionResult]::new('BITOP', 'BITOP', [CompletionResultType]::ParameterValue, 'BITOP')
            [CompletionResult]::new('BITPOS', 'BITPOS', [CompletionResultType]::ParameterValue, 'BITPOS')
            [CompletionResult]::new('BLMOVE', 'BLMOVE', [CompletionResultType]::ParameterValue, 'BLMOVE')
            [CompletionResult]::new('BLMPOP', 'BLMPOP', [CompletionResultType]::ParameterValue, 'BLMPOP')
            [CompletionResult]::new('BLPOP', 'BLPOP', [CompletionResultType]::ParameterValue, 'BLPOP')
            [CompletionResult]::new('BRPOP', 'BRPOP', [CompletionResultType]::ParameterValue, 'BRPOP')
            [CompletionResult]::new('BRPOPLPUSH', 'BRPOPLPUSH', [CompletionResultType]::ParameterValue, 'BRPOPLPUSH')
            [CompletionResult]::new('BZMPOP', 'BZMPOP', [CompletionResultType]::ParameterValue, 'BZMPOP')
            [CompletionResult]::new('BZPOPMAX', 'BZPOPMAX', [CompletionResultType]::ParameterValue, 'BZPOPMAX')
            [CompletionResult]::new('BZPOPMIN', 'BZPOPMIN', [CompletionResultType]::ParameterValue, 'BZPOPMIN')
            [CompletionResult]::new('CLIENT', 'CLIENT', [CompletionResultType]::ParameterValue, 'CLIENT')
            [CompletionResult]::new('CLUSTER', 'CLUSTER', [CompletionResultType]::ParameterValue, 'CLUSTER')
            [CompletionResult]::new('CLUSTERSCAN', 'CLUSTERSCAN', [CompletionResultType]::ParameterValue, 'CLUSTERSCAN')
            [CompletionResult]::new('COMMAND', 'COMMAND', [CompletionResultType]::ParameterValue, 'COMMAND')
            [CompletionResult]::new('COMMANDLOG', 'COMMANDLOG', [CompletionResultType]::ParameterValue, 'COMMANDLOG')
            [CompletionResult]::new('CONFIG', 'CONFIG', [CompletionResultType]::ParameterValue, 'CONFIG')
            [CompletionResult]::new('COPY', 'COPY', [CompletionResultType]::ParameterValue, 'COPY')
            [CompletionResult]::new('DBSIZE', 'DBSIZE', [CompletionResultType]::ParameterValue, 'DBSIZE')
            [CompletionResult]::new('DEBUG', 'DEBUG', [CompletionResultType]::ParameterValue, 'DEBUG')
            [CompletionResult]::new('DECR', 'DECR', [CompletionResultType]::ParameterValue, 'DECR')
            [CompletionResult]::new('DECRBY', 'DECRBY', [CompletionResultType]::ParameterValue, 'DECRBY')
            [CompletionResult]::new('DEL', 'DEL', [CompletionResultType]::ParameterValue, 'DEL')
            [CompletionResult]::new('DELIFEQ', 'DELIFEQ', [CompletionResultType]::ParameterValue, 'DELIFEQ')
            [CompletionResult]::new('DISCARD', 'DISCARD', [CompletionResultType]::ParameterValue, 'DISCARD')
            [CompletionResult]::new('DUMP', 'DUMP', [CompletionResultType]::ParameterValue, 'DUMP')
            [CompletionResult]::new('ECHO', 'ECHO', [CompletionResultType]::ParameterValue, 'ECHO')
            [CompletionResult]::new('EVAL', 'EVAL', [CompletionResultType]::ParameterValue, 'EVAL')
            [CompletionResult]::new('EVALSHA', 'EVALSHA', [CompletionResultType]::ParameterValue, 'EVALSHA')
            [CompletionResult]::new('EVALSHA_RO', 'EVALSHA_RO', [CompletionResultType]::ParameterValue, 'EVALSHA_RO')
            [CompletionResult]::new('EVAL_RO', 'EVAL_RO', [CompletionResultType]::ParameterValue, 'EVAL_RO')
            [CompletionResult]::new('EXEC', 'EXEC', [CompletionResultType]::ParameterValue, 'EXEC')
            [CompletionResult]::new('EXISTS', 'EXISTS', [CompletionResultType]::ParameterValue, 'EXISTS')
            [CompletionResult]::new('EXPIRE', 'EXPIRE', [CompletionResultType]::ParameterValue, 'EXPIRE')
            [CompletionResult]::new('EXPIREAT', 'EXPIREAT', [CompletionResultType]::ParameterValue, 'EXPIREAT')
            [CompletionResult]::new('EXPIRETIME', 'EXPIRETIME', [CompletionResultType]::ParameterValue, 'EXPIRETIME')
            [CompletionResult]::new('FAILOVER', 'FAILOVER', [CompletionResultType]::ParameterValue, 'FAILOVER')
            [CompletionResult]::new('FCALL', 'FCALL', [CompletionResultType]::ParameterValue, 'FCALL')
            [CompletionResult]::new('FCALL_RO', 'FCALL_RO', [CompletionResultType]::ParameterValue, 'FCALL_RO')
            [CompletionResult]::new('FLUSHALL', 'FLUSHALL', [CompletionResultType]::ParameterValue, 'FLUSHALL')
            [CompletionResult]::new('FLUSHDB', 'FLUSHDB', [CompletionResultType]::ParameterValue, 'FLUSHDB')
            [CompletionResult]::new('FUNCTION', 'FUNCTION', [CompletionResultType]::ParameterValue, 'FUNCTION')
            [CompletionResult]::new('GEOADD', 'GEOADD', [CompletionResultType]::ParameterValue, 'GEOADD')
            [CompletionResult]::new('GEODIST', 'GEODIST', [CompletionResultType]::ParameterValue, 'GEODIST')
            [CompletionResult]::new('GEOHASH', 'GEOHASH', [CompletionResultType]::ParameterValue, 'GEOHASH')
            [CompletionResult]::new('GEOPOS', 'GEOPOS', [CompletionResultType]::ParameterValue, 'GEOPOS')
            [CompletionResult]::new('GEORADIUS', 'GEORADIUS', [CompletionResultType]::ParameterValue, 'GEORADIUS')
            [CompletionResult]::new('GEORADIUSBYMEMBER', 'GEORADIUSBYMEMBER', [CompletionResultType]::ParameterValue, 'GEORADIUSBYMEMBER')
            [CompletionResult]::new('GEORADIUSBYMEMBER_RO', 'GEORADIUSBYMEMBER_RO', [CompletionResultType]::ParameterValue, 'GEORADIUSBYMEMBER_RO')
            [CompletionResult]::new('GEORADIUS_RO', 'GEORADIUS_RO', [CompletionResultType]::ParameterValue, 'GEORADIUS_RO')
            [CompletionResult]::new('GEOSEARCH', 'GEOSEARCH', [CompletionResultType]::ParameterValue, 'GEOSEARCH')
            [CompletionResult]::new('GEOSEARCHSTORE', 'GEOSEARCHSTORE', [CompletionResultType]::ParameterValue, 'GEOSEARCHSTORE')
            [CompletionResult]::new('GET', 'GET', [CompletionResultType]::ParameterValue, 'GET')
            [CompletionResult]::new('GETBIT', 'GETBIT', [CompletionResultType]::ParameterValue, 'GETBIT')
            [CompletionResult]::new('GETDEL', 'GETDEL', [CompletionResultType]::ParameterValue, 'GETDEL')
            [CompletionResult]::new('GETEX', 'GETEX', [CompletionResultType]::ParameterValue, 'GETEX')
            [CompletionResult]::new('GETRANGE', 'GETRANGE', [CompletionResultType]::ParameterValue, 'GETRANGE')
            [CompletionResult]::new('GETSET', 'GETSET', [CompletionResultType]::ParameterValue, 'GETSET')
            [CompletionResult]::new('HDEL', 'HDEL', [CompletionResultType]::ParameterValue, 'HDEL')
            [CompletionResult]::new('HELLO', 'HELLO', [CompletionResultType]::ParameterValue, 'HELLO')
            [CompletionResult]::new('HEXISTS', 'HEXISTS', [CompletionResultType]::ParameterValue, 'HEXISTS')
            [CompletionResult]::new('HEXPIRE', 'HEXPIRE', [CompletionResultType]::ParameterValue, 'HEXPIRE')
            [CompletionResult]::new('HEXPIREAT', 'HEXPIREAT', [CompletionResultType]::ParameterValue, 'HEXPIREAT')
            [CompletionResult]::new('HEXPIRETIME', 'HEXPIRETIME', [CompletionResultType]::ParameterValue, 'HEXPIRETIME')
            [CompletionResult]::new('HGET', 'HGET', [CompletionResultType]::ParameterValue, 'HGET')
            [CompletionResult]::new('HGETALL', 'HGETALL', [CompletionResultType]::ParameterValue, 'HGETALL')
            [CompletionResult]::new('HGETDEL', 'HGETDEL', [CompletionResultType]::ParameterValue, 'HGETDEL')
            [CompletionResult]::new('HGETEX', 'HGETEX', [CompletionResultType]::ParameterValue, 'HGETEX')
            [CompletionResult]::new('HINCRBY', 'HINCRBY', [CompletionResultType]::ParameterValue, 'HINCRBY')
            [CompletionResult]::new('HINCRBYFLOAT', 'HINCRBYFLOAT', [CompletionResultType]::ParameterValue, 'HINCRBYFLOAT')
            [CompletionResult]::new('HKEYS', 'HKEYS', [CompletionResultType]::ParameterValue, 'HKEYS')
            [CompletionResult]::new('HLEN', 'HLEN', [CompletionResultType]::ParameterValue, 'HLEN')
            [CompletionResult]::new('HMGET', 'HMGET', [CompletionResultType]::ParameterValue, 'HMGET')
            [CompletionResult]::new('HMSET', 'HMSET', [CompletionResultType]::ParameterValue, 'HMSET')
            [CompletionResult]::new('HPERSIST', 'HPERSIST', [CompletionResultType]::ParameterValue, 'HPERSIST')
            [CompletionResult]::new('HPEXPIRE', 'HPEXPIRE', [CompletionResultType]::ParameterValue, 'HPEXPIRE')
            [CompletionResult]::new('HPEXPIREAT', 'HPEXPIREAT', [CompletionResultType]::ParameterValue, 'HPEXPIREAT')
            [CompletionResult]::new('HPEXPIRETIME', 'HPEXPIRETIME', [CompletionResultType]::ParameterValue, 'HPEXPIRETIME')
            [CompletionResult]::new('HPTTL', 'HPTTL', [CompletionResultType]::ParameterValue, 'HPTTL')
            [CompletionResult]::new('HRANDFIELD', 'HRANDFIELD', [CompletionResultType]::ParameterValue, 'HRANDFIELD')
            [CompletionResult]::new('HSCAN', 'HSCAN', [CompletionResultType]::ParameterValue, 'HSCAN')
            [CompletionResult]::new('HSET', 'HSET', [CompletionResultType]::ParameterValue, 'HSET')
            [CompletionResult]::new('HSETEX', 'HSETEX', [CompletionResultType]::ParameterValue, 'HSETEX')
            [CompletionResult]::new('HSETNX', 'HSETNX', [CompletionResultType]::ParameterValue, 'HSETNX')
            [CompletionResult]::new('HSTRLEN', 'HSTRLEN', [CompletionResultType]::ParameterValue, 'HSTRLEN')
            [CompletionResult]::new('HTTL', 'HTTL', [CompletionResultType]::ParameterValue, 'HTTL')
            [CompletionResult]::new('HVALS', 'HVALS', [CompletionResultType]::ParameterValue, 'HVALS')
            [CompletionResult]::new('INCR', 'INCR', [CompletionResultType]::ParameterValue, 'INCR')
            [CompletionResult]::new('INCRBY', 'INCRBY', [CompletionResultType]::ParameterValue, 'INCRBY')
            [CompletionResult]::new('INCRBYFLOAT', 'INCRBYFLOAT', [CompletionResultType]::ParameterValue, 'INCRBYFLOAT')
            [CompletionResult]::new('INFO', 'INFO', [CompletionResultType]::ParameterValue, 'INFO')
            [CompletionResult]::new('KEYS', 'KEYS', [CompletionResultType]::ParameterValue, 'KEYS')
            [CompletionResult]::new('LASTSAVE', 'LASTSAVE', [CompletionResultType]::ParameterValue, 'LASTSAVE')
            [CompletionResult]::new('LATENCY', 'LATENCY', [CompletionResultType]::ParameterValue, 'LATENCY')
            [CompletionResult]::new('LCS', 'LCS', [CompletionResultType]::ParameterValue, 'LCS')
            [CompletionResult]::new('LINDEX', 'LINDEX', [CompletionResultType]::ParameterValue, 'LINDEX')
            [CompletionResult]::new('LINSERT', 'LINSERT', [CompletionResultType]::ParameterValue, 'LINSERT')
            [CompletionResult]::new('LLEN', 'LLEN', [CompletionResultType]::ParameterValue, 'LLEN')
            [CompletionResult]::new('LMOVE', 'LMOVE', [CompletionResultType]::ParameterValue, 'LMOVE')
            [CompletionResult]::new('LMPOP', 'LMPOP', [CompletionResultType]::ParameterValue, 'LMPOP')
            [CompletionResult]::new('LOLWUT', 'LOLWUT', [CompletionResultType]::ParameterValue, 'LOLWUT')
            [CompletionResult]::new('LPOP', 'LPOP', [CompletionResultType]::ParameterValue, 'LPOP')
            [CompletionResult]::new('LPOS', 'LPOS', [CompletionResultType]::ParameterValue, 'LPOS')
            [CompletionResult]::new('LPUSH', 'LPUSH', [CompletionResultType]::ParameterValue, 'LPUSH')
            [CompletionResult]::new('LPUSHX', 'LPUSHX', [CompletionResultType]::ParameterValue, 'LPUSHX')
            [CompletionResult]::new('LRANGE', 'LRANGE', [CompletionResultType]::ParameterValue, 'LRANGE')
            [CompletionResult]::new('LREM', 'LREM', [CompletionResultType]::ParameterValue, 'LREM')
            [CompletionResult]::new('LSET', 'LSET', [CompletionResultType]::ParameterValue, 'LSET')
            [CompletionResult]::new('LTRIM', 'LTRIM', [CompletionResultType]::ParameterValue, 'LTRIM')
            [CompletionResult]::new('MEMORY', 'MEMORY', [CompletionResultType]::ParameterValue, 'MEMORY')
            [CompletionResult]::new('MGET', 'MGET', [CompletionResultType]::ParameterValue, 'MGET')
            [CompletionResult]::new('MIGRATE', 'MIGRATE', [CompletionResultType]::ParameterValue, 'MIGRATE')
            [CompletionResult]::new('MODULE', 'MODULE', [CompletionResultType]::ParameterValue, 'MODULE')
            [CompletionResult]::new('MONITOR', 'MONITOR', [CompletionResultType]::ParameterValue, 'MONITOR')
            [CompletionResult]::new('MOVE', 'MOVE', [CompletionResultType]::ParameterValue, 'MOVE')
            [CompletionResult]::new('MSET', 'MSET', [CompletionResultType]::ParameterValue, 'MSET')
            [CompletionResult]::new('MSETEX', 'MSETEX', [CompletionResultType]::ParameterValue, 'MSETEX')
            [CompletionResult]::new('MSETNX', 'MSETNX', [CompletionResultType]::ParameterValue, 'MSETNX')
            [CompletionResult]::new('MULTI', 'MULTI', [CompletionResultType]::ParameterValue, 'MULTI')
            [CompletionResult]::new('OBJECT', 'OBJECT', [CompletionResultType]::ParameterValue, 'OBJECT')
            [CompletionResult]::new('PERSIST', 'PERSIST', [CompletionResultType]::ParameterValue, 'PERSIST')
            [CompletionResult]::new('PEXPIRE', 'PEXPIRE', [CompletionResultType]::ParameterValue, 'PEXPIRE')
            [CompletionResult]::new('PEXPIREAT', 'PEXPIREAT', [CompletionResultType]::ParameterValue, 'PEXPIREAT')
            [CompletionResult]::new('PEXPIRETIME', 'PEXPIRETIME', [CompletionResultType]::ParameterValue, 'PEXPIRETIME')
            [CompletionResult]::new('PFADD', 'PFADD', [CompletionResultType]::ParameterValue, 'PFADD')
            [CompletionResult]::new('PFCOUNT', 'PFCOUNT', [CompletionResultType]::ParameterValue, 'PFCOUNT')
            [CompletionResult]::new('PFDEBUG', 'PFDEBUG', [CompletionResultType]::ParameterValue, 'PFDEBUG')
            [CompletionResult]::new('PFMERGE', 'PFMERGE', [CompletionResultType]::ParameterValue, 'PFMERGE')
            [CompletionResult]::new('PFSELFTEST', 'PFSELFTEST', [CompletionResultType]::ParameterValue, 'PFSELFTEST')
            [CompletionResult]::new('PING', 'PING', [CompletionResultType]::ParameterValue, 'PING')
            [CompletionResult]::new('PSETEX', 'PSETEX', [CompletionResultType]::ParameterValue, 'PSETEX')
            [CompletionResult]::new('PSUBSCRIBE', 'PSUBSCRIBE', [CompletionResultType]::ParameterValue, 'PSUBSCRIBE')
            [CompletionResult]::new('PSYNC', 'PSYNC', [CompletionResultType]::ParameterValue, 'PSYNC')
            [CompletionResult]::new('PTTL', 'PTTL', [CompletionResultType]::ParameterValue, 'PTTL')
            [CompletionResult]::new('PUBLISH', 'PUBLISH', [CompletionResultType]::ParameterValue, 'PUBLISH')
            [CompletionResult]::new('PUBSUB', 'PUBSUB', [CompletionResultType]::ParameterValue, 'PUBSUB')
            [CompletionResult]::new('PUNSUBSCRIBE', 'PUNSUBSCRIBE', [CompletionResultType]::ParameterValue, 'PUNSUBSCRIBE')
            [CompletionResult]::new('QUIT', 'QUIT', [CompletionResultType]::ParameterValue, 'QUIT')
            [CompletionResult]::new('RANDOMKEY', 'RANDOMKEY', [CompletionResultType]::ParameterValue, 'RANDOMKEY')
            [CompletionResult]::new('READONLY', 'READONLY', [CompletionResultType]::ParameterValue, 'READONLY')
            [CompletionResult]::new('READWRITE', 'READWRITE', [CompletionResultType]::ParameterValue, 'READWRITE')
            [CompletionResult]::new('RENAME', 'RENAME', [CompletionResultType]::ParameterValue, 'RENAME')
            [CompletionResult]::new('RENAMENX', 'RENAMENX', [CompletionResultType]::ParameterValue, 'RENAMENX')
            [CompletionResult]::new('REPLCONF', 'REPLCONF', [CompletionResultType]::ParameterValue, 'REPLCONF')
            [CompletionResult]::new('REPLICAOF', 'REPLICAOF', [CompletionResultType]::ParameterValue, 'REPLICAOF')
            [CompletionResult]::new('RESET', 'RESET', [CompletionResultType]::ParameterValue, 'RESET')
            [CompletionResult]::new('RESTORE', 'RESTORE', [CompletionResultType]::ParameterValue, 'RESTORE')
            [CompletionResult]::new('RESTORE-ASKING', 'RESTORE-ASKING', [CompletionResultType]::ParameterValue, 'RESTORE-ASKING')
            [CompletionResult]::new('ROLE', 'ROLE', [CompletionResultType]::ParameterValue, 'ROLE')
            [CompletionResult]::new('RPOP', 'RPOP', [CompletionResultType]::ParameterValue, 'RPOP')
            [CompletionResult]::new('RPOPLPUSH', 'RPOPLPUSH', [CompletionResultType]::ParameterValue, 'RPOPLPUSH')
            [CompletionResult]::new('RPUSH', 'RPUSH', [CompletionResultType]::ParameterValue, 'RPUSH')
            [CompletionResult]::new('RPUSHX', 'RPUSHX', [CompletionResultType]::ParameterValue, 'RPUSHX')
            [CompletionResult]::new('SADD', 'SADD', [CompletionResultType]::ParameterValue, 'SADD')
            [CompletionResult]::new('SAVE', 'SAVE', [CompletionResultType]::ParameterValue, 'SAVE')
            [CompletionResult]::new('SCAN', 'SCAN', [CompletionResultType]::ParameterValue, 'SCAN')
            [CompletionResult]::new('SCARD', 'SCARD', [CompletionResultType]::ParameterValue, 'SCARD')
            [CompletionResult]::new('SCRIPT', 'SCRIPT', [CompletionResultType]::ParameterValue, 'SCRIPT')
            [CompletionResult]::new('SDIFF', 'SDIFF', [CompletionResultType]::ParameterValue, 'SDIFF')
            [CompletionResult]::new('SDIFFSTORE', 'SDIFFSTORE', [CompletionResultType]::ParameterValue, 'SDIFFSTORE')
            [CompletionResult]::new('SELECT', 'SELECT', [CompletionResultType]::ParameterValue, 'SELECT')
            [CompletionResult]::new('SET', 'SET', [CompletionResultType]::ParameterValue, 'SET')
            [CompletionResult]::new('SETBIT', 'SETBIT', [CompletionResultType]::ParameterValue, 'SETBIT')
            [CompletionResult]::new('SETEX', 'SETEX', [CompletionResultType]::ParameterValue, 'SETEX')
            [CompletionResult]::new('SETNX', 'SETNX', [CompletionResultType]::ParameterValue, 'SETNX')
            [CompletionResult]::new('SETRANGE', 'SETRANGE', [CompletionResultType]::ParameterValue, 'SETRANGE')
            [CompletionResult]::new('SHUTDOWN', 'SHUTDOWN', [CompletionResultType]::ParameterValue, 'SHUTDOWN')
            [CompletionResult]::new('SINTER', 'SINTER', [CompletionResultType]::ParameterValue, 'SINTER')
            [CompletionResult]::new('SINTERCARD', 'SINTERCARD', [CompletionResultType]::ParameterValue, 'SINTERCARD')
            [CompletionResult]::new('SINTERSTORE', 'SINTERSTORE', [CompletionResultType]::ParameterValue, 'SINTERSTORE')
            [CompletionResult]::new('SISMEMBER', 'SISMEMBER', [CompletionResultType]::ParameterValue, 'SISMEMBER')
            [CompletionResult]::new('SLAVEOF', 'SLAVEOF', [CompletionResultType]::ParameterValue, 'SLAVEOF')
            [CompletionResult]::new('SLOWLOG', 'SLOWLOG', [CompletionResultType]::ParameterValue, 'SLOWLOG')
            [CompletionResult]::new('SMEMBERS', 'SMEMBERS', [CompletionResultType]::ParameterValue, 'SMEMBERS')
            [CompletionResult]::new('SMISMEMBER', 'SMISMEMBER', [CompletionResultType]::ParameterValue, 'SMISMEMBER')
            [CompletionResult]::new('SMOVE', 'SMOVE', [CompletionResultType]::ParameterValue, 'SMOVE')
            [CompletionResult]::new('SORT', 'SORT', [CompletionResultType]::ParameterValue, 'SORT')
            [CompletionResult]::new('SORT_RO', 'SORT_RO', [CompletionResultType]::ParameterValue, 'SORT_RO')
            [CompletionResult]::new('SPOP', 'SPOP', [CompletionResultType]::ParameterValue, 'SPOP')
            [CompletionResult]::new('SPUBLISH', 'SPUBLISH', [CompletionResultType]::ParameterValue, 'SPUBLISH')
            [CompletionResult]::new('SRANDMEMBER', 'SRANDMEMBER', [CompletionResultType]::ParameterValue, 'SRANDMEMBER')
            [CompletionResult]::new('SREM', 'SREM', [CompletionResultType]::ParameterValue, 'SREM')
            [CompletionResult]::new('SSCAN', 'SSCAN', [CompletionResultType]::ParameterValue, 'SSCAN')
            [CompletionResult]::new('SSUBSCRIBE', 'SSUBSCRIBE', [CompletionResultType]::ParameterValue, 'SSUBSCRIBE')
            [CompletionResult]::new('STRLEN', 'STRLEN', [CompletionResultType]::ParameterValue, 'STRLEN')
            [CompletionResult]::new('SUBSCRIBE', 'SUBSCRIBE', [CompletionResultType]::ParameterValue, 'SUBSCRIBE')
            [CompletionResult]::new('SUBSTR', 'SUBSTR', [CompletionResultType]::ParameterValue, 'SUBSTR')
            [CompletionResult]::new('SUNION', 'SUNION', [CompletionResultType]::ParameterValue, 'SUNION')
            [CompletionResult]::new('SUNIONSTORE', 'SUNIONSTORE', [CompletionResultType]::ParameterValue, 'SUNIONSTORE')
            [CompletionResult]::new('SUNSUBSCRIBE', 'SUNSUBSCRIBE', [CompletionResultType]::ParameterValue, 'SUNSUBSCRIBE')
            [CompletionResult]::new('SWAPDB', 'SWAPDB', [CompletionResultType]::ParameterValue, 'SWAPDB')
            [CompletionResult]::new('SYNC', 'SYNC', [CompletionResultType]::ParameterValue, 'SYNC')
            [CompletionResult]::new('TIME', 'TIME', [CompletionResultType]::ParameterValue, 'TIME')
            [CompletionResult]::new('TOUCH', 'TOUCH', [CompletionResultType]::ParameterValue, 'TOUCH')
            [CompletionResult]::new('TTL', 'TTL', [CompletionResultType]::ParameterValue, 'TTL')
            [CompletionResult]::new('TYPE', 'TYPE', [CompletionResultType]::ParameterValue, 'TYPE')
            [CompletionResult]::new('UNLINK', 'UNLINK', [CompletionResultType]::ParameterValue, 'UNLINK')
            [CompletionResult]::new('UNSUBSCRIBE', 'UNSUBSCRIBE', [CompletionResultType]::ParameterValue, 'UNSUBSCRIBE')
            [CompletionResult]::new('UNWATCH', 'UNWATCH', [CompletionResultType]::ParameterValue, 'UNWATCH')
            [CompletionResult]::new('WAIT', 'WAIT', [CompletionResultType]::ParameterValue, 'WAIT')
            [CompletionResult]::new('WAITAOF', 'WAITAOF', [CompletionResultType]::ParameterValue, 'WAITAOF')
            [CompletionResult]::new('WATCH', 'WATCH', [CompletionResultType]::ParameterValue, 'WATCH')
            [CompletionResult]::new('XACK', 'XACK', [CompletionResultType]::ParameterValue, 'XACK')
            [CompletionResult]::new('XACKDEL', 'XACKDEL', [CompletionResultType]::ParameterValue, 'XACKDEL')
            [CompletionResult]::new('XADD', 'XADD', [CompletionResultType]::ParameterValue, 'XADD')
            [CompletionResult]::new('XAUTOCLAIM', 'XAUTOCLAIM', [CompletionResultType]::ParameterValue, 'XAUTOCLAIM')
            [CompletionResult]::new('XCLAIM', 'XCLAIM', [CompletionResultType]::ParameterValue, 'XCLAIM')
            [CompletionResult]::new('XDEL', 'XDEL', [CompletionResultType]::ParameterValue, 'XDEL')
            [CompletionResult]::new('XDELEX', 'XDELEX', [CompletionResultType]::ParameterValue, 'XDELEX')
            [CompletionResult]::new('XGROUP', 'XGROUP', [CompletionResultType]::ParameterValue, 'XGROUP')
            [CompletionResult]::new('XINFO', 'XINFO', [CompletionResultType]::ParameterValue, 'XINFO')
            [CompletionResult]::new('XLEN', 'XLEN', [CompletionResultType]::ParameterValue, 'XLEN')
            [CompletionResult]::new('XPENDING', 'XPENDING', [CompletionResultType]::ParameterValue, 'XPENDING')
            [CompletionResult]::new('XRANGE', 'XRANGE', [CompletionResultType]::ParameterValue, 'XRANGE')
            [CompletionResult]::new('XREAD', 'XREAD', [CompletionResultType]::ParameterValue, 'XREAD')
            [CompletionResult]::new('XREADGROUP', 'XREADGROUP', [CompletionResultType]::ParameterValue, 'XREADGROUP')
            [CompletionResult]::new('XREVRANGE', 'XREVRANGE', [CompletionResultType]::ParameterValue, 'XREVRANGE')
            [CompletionResult]::new('XSETID', 'XSETID', [CompletionResultType]::ParameterValue, 'XSETID')
            [CompletionResult]::new('XTRIM', 'XTRIM', [CompletionResultType]::ParameterValue, 'XTRIM')
            [CompletionResult]::new('ZADD', 'ZADD', [CompletionResultType]::ParameterValue, 'ZADD')
            [CompletionResult]::new('ZCARD', 'ZCARD', [CompletionResultType]::ParameterValue, 'ZCARD')
            [CompletionResult]::new('ZCOUNT', 'ZCOUNT', [CompletionResultType]::ParameterValue, 'ZCOUNT')
            [CompletionResult]::new('ZDIFF', 'ZDIFF', [CompletionResultType]::ParameterValue, 'ZDIFF')
            [CompletionResult]::new('ZDIFFSTORE', 'ZDIFFSTORE', [CompletionResultType]::ParameterValue, 'ZDIFFSTORE')
            [CompletionResult]::new('ZINCRBY', 'ZINCRBY', [CompletionResultType]::ParameterValue, 'ZINCRBY')
            [CompletionResult]::new('ZINTER', 'ZINTER', [CompletionResultType]::ParameterValue, 'ZINTER')
            [CompletionResult]::new('ZINTERCARD', 'ZINTERCARD', [CompletionResultType]::ParameterValue, 'ZINTERCARD')
            [CompletionResult]::new('ZINTERSTORE', 'ZINTERSTORE', [CompletionResultType]::ParameterValue, 'ZINTERSTORE')
            [CompletionResult]::new('ZLEXCOUNT', 'ZLEXCOUNT', [CompletionResultType]::ParameterValue, 'ZLEXCOUNT')
            [CompletionResult]::new('ZMPOP', 'ZMPOP', [CompletionResultType]::ParameterValue, 'ZMPOP')
            [CompletionResult]::new('ZMSCORE', 'ZMSCORE', [CompletionResultType]::ParameterValue, 'ZMSCORE')
            [CompletionResult]::new('ZPOPMAX', 'ZPOPMAX', [CompletionResultType]::ParameterValue, 'ZPOPMAX')
            [CompletionResult]::new('ZPOPMIN', 'ZPOPMIN', [CompletionResultType]::ParameterValue, 'ZPOPMIN')
            [CompletionResult]::new('ZRANDMEMBER', 'ZRANDMEMBER', [CompletionResultType]::ParameterValue, 'ZRANDMEMBER')
            [CompletionResult]::new('ZRANGE', 'ZRANGE', [CompletionResultType]::ParameterValue, 'ZRANGE')
            [CompletionResult]::new('ZRANGEBYLEX', 'ZRANGEBYLEX', [CompletionResultType]::ParameterValue, 'ZRANGEBYLEX')
            [CompletionResult]::new('ZRANGEBYSCORE', 'ZRANGEBYSCORE', [CompletionResultType]::ParameterValue, 'ZRANGEBYSCORE')
            [CompletionResult]::new('ZRANGESTORE', 'ZRANGESTORE', [CompletionResultType]::ParameterValue, 'ZRANGESTORE')
            [CompletionResult]::new('ZRANK', 'ZRANK', [CompletionResultType]::ParameterValue, 'ZRANK')
            [CompletionResult]::new('ZREM', 'ZREM', [CompletionResultType]::ParameterValue, 'ZREM')
            [CompletionResult]::new('ZREMRANGEBYLEX', 'ZREMRANGEBYLEX', [CompletionResultType]::ParameterValue, 'ZREMRANGEBYLEX')
            [CompletionResult]::new('ZREMRANGEBYRANK', 'ZREMRANGEBYRANK', [CompletionResultType]::ParameterValue, 'ZREMRANGEBYRANK')
            [CompletionResult]::new('ZREMRANGEBYSCORE', 'ZREMRANGEBYSCORE', [CompletionResultType]::ParameterValue, 'ZREMRANGEBYSCORE')
            [CompletionResult]::new('ZREVRANGE', 'ZREVRANGE', [CompletionResultType]::ParameterValue, 'ZREVRANGE')
            [CompletionResult]::new('ZREVRANGEBYLEX', 'ZREVRANGEBYLEX', [CompletionResultType]::ParameterValue, 'ZREVRANGEBYLEX')
            [CompletionResult]::new('ZREVRANGEBYSCORE', 'ZREVRANGEBYSCORE', [CompletionResultType]::ParameterValue, 'ZREVRANGEBYSCORE')
            [CompletionResult]::new('ZREVRANK', 'ZREVRANK', [CompletionResultType]::ParameterValue, 'ZREVRANK')
            [CompletionResult]::new('ZSCAN', 'ZSCAN', [CompletionResultType]::ParameterValue, 'ZSCAN')
            [CompletionResult]::new('ZSCORE', 'ZSCORE', [CompletionResultType]::ParameterValue, 'ZSCORE')
            [CompletionResult]::new('ZUNION', 'ZUNION', [CompletionResultType]::ParameterValue, 'ZUNION')
            [CompletionResult]::new('ZUNIONSTORE', 'ZUNIONSTORE', [CompletionResultType]::ParameterValue, 'ZUNIONSTORE')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rcli;exec;help;ACL' {
            break
        }
        'rcli;exec;help;APPEND' {
            break
        }
        'rcli;exec;help;ASKING' {
            break
        }
        'rcli;exec;help;AUTH' {
            break
        }
        'rcli;exec;help;BGREWRITEAOF' {
            break
        }
        'rcli;exec;help;BGSAVE' {
            break
        }
        'rcli;exec;help;BITCOUNT' {
            break
        }
        'rcli;exec;help;BITFIELD' {
            break
        }
        'rcli;exec;help;BITFIELD_RO' {
            break
        }
        'rcli;exec;help;BITOP' {
            break
        }
        'rcli;exec;help;BITPOS' {
            break
        }
        'rcli;exec;help;BLMOVE' {
            break
        }
        'rcli;exec;help;BLMPOP' {
            break
        }
        'rcli;exec;help;BLPOP' {
            break
        }
        'rcli;exec;help;BRPOP' {
            break
        }
        'rcli;exec;help;BRPOPLPUSH' {
            break
        }
        'rcli;exec;help;BZMPOP' {
            break
        }
        'rcli;exec;help;BZPOPMAX' {
            break
        }
        'rcli;exec;help;BZPOPMIN' {
            break
        }
        'rcli;exec;help;CLIENT' {
            break
        }
        'rcli;exec;help;CLUSTER' {
            break
        }
        'rcli;exec;help;CLUSTERSCAN' {
            break
        }
        'rcli;exec;help;COMMAND' {
            break
        }
        'rcli;exec;help;COMMANDLOG' {
            break
        }
        'rcli;exec;help;CONFIG' {
            break
        }
        'rcli;exec;help;COPY' {
            break
        }
        'rcli;exec;help;DBSIZE' {
            break
        }
        'rcli;exec;help;DEBUG' {
            break
        }
        'rcli;exec;help;DECR' {
            break
        }
        'rcli;exec;help;DECRBY' {
            break
        }
        'rcli;exec;help;DEL' {
            break
        }
        'rcli;exec;help;DELIFEQ' {
            break
        }
        'rcli;exec;help;DISCARD' {
            break
        }
        'rcli;exec;help;DUMP' {
            break
        }
        'rcli;exec;help;ECHO' {
            break
        }
        'rcli;exec;help;EVAL' {
            break
        }
        'rcli;exec;help;EVALSHA' {
            break
        }
        'rcli;exec;help;EVALSHA_RO' {
            break
        }
        'rcli;exec;help;EVAL_RO' {
            break
        }
        'rcli;exec;help;EXEC' {
            break
        }
        'rcli;exec;help;EXISTS' {
            break
        }
        'rcli;exec;help;EXPIRE' {
            break
        }
        'rcli;exec;help;EXPIREAT' {
            break
        }
        'rcli;exec;help;EXPIRETIME' {
            break
        }
        'rcli;exec;help;FAILOVER' {
            break
        }
        'rcli;exec;help;FCALL' {
            break
        }
        'rcli;exec;help;FCALL_RO' {
            break
        }
        'rcli;exec;help;FLUSHALL' {
            break
        }
        'rcli;exec;help;FLUSHDB' {
            break
        }
        'rcli;exec;help;FUNCTION' {
            break
        }
        'rcli;exec;help;GEOADD' {
            break
        }
        'rcli;exec;help;GEODIST' {
            break
        }
        'rcli;exec;help;GEOHASH' {
            break
        }
        'rcli;exec;help;GEOPOS' {
            break
        }
        'rcli;exec;help;GEORADIUS' {
            break
        }
        'rcli;exec;help;GEORADIUSBYMEMBER' {
            break
        }
        'rcli;exec;help;GEORADIUSBYMEMBER_RO' {
            break
        }
        'rcli;exec;help;GEORADIUS_RO' {
            break
        }
        'rcli;exec;help;GEOSEARCH' {
            break
        }
        'rcli;exec;help;GEOSEARCHSTORE' {
            break
        }
        'rcli;exec;help;GET' {
            break
        }
        'rcli;exec;help;GETBIT' {
            break
        }
        'rcli;exec;help;GETDEL' {
            break
        }
        'rcli;exec;help;GETEX' {
            break
        }
        'rcli;exec;help;GETRANGE' {
            break
        }
        'rcli;exec;help;GETSET' {
            break
        }
        'rcli;exec;help;HDEL' {
            break
        }
        'rcli;exec;help;HELLO' {
            break
        }
        'rcli;exec;help;HEXISTS' {
            break
        }
        'rcli;exec;help;HEXPIRE' {
            break
        }
        'rcli;exec;help;HEXPIREAT' {
            break
        }
        'rcli;exec;help;HEXPIRETIME' {
            break
        }
        'rcli;exec;help;HGET' {
            break
        }
        'rcli;exec;help;HGETALL' {
            break
        }
        'rcli;exec;help;HGETDEL' {
            break
        }
        'rcli;exec;help;HGETEX' {
            break
        }
        'rcli;exec;help;HINCRBY' {
            break
        }
        'rcli;exec;help;HINCRBYFLOAT' {
            break
        }
        'rcli;exec;help;HKEYS' {
            break
        }
        'rcli;exec;help;HLEN' {
            break
        }
        'rcli;exec;help;HMGET' {
            break
        }
        'rcli;exec;help;HMSET' {
            break
        }
        'rcli;exec;help;HPERSIST' {
            break
        }
        'rcli;exec;help;HPEXPIRE' {
            break
        }
        'rcli;exec;help;HPEXPIREAT' {
            break
        }
        'rcli;exec;help;HPEXPIRETIME' {
            break
        }
        'rcli;exec;help;HPTTL' {
            break
        }
        'rcli;exec;help;HRANDFIELD' {
            break
        }
        'rcli;exec;help;HSCAN' {
            break
        }
        'rcli;exec;help;HSET' {
            break
        }
        'rcli;exec;help;HSETEX' {
            break
        }
        'rcli;exec;help;HSETNX' {
            break
        }
        'rcli;exec;help;HSTRLEN' {
            break
        }
        'rcli;exec;help;HTTL' {
            break
        }
        'rcli;exec;help;HVALS' {
            break
        }
        'rcli;exec;help;INCR' {
            break
        }
        'rcli;exec;help;INCRBY' {
            break
        }
        'rcli;exec;help;INCRBYFLOAT' {
            break
        }
        'rcli;exec;help;INFO' {
            break
        }
        'rcli;exec;help;KEYS' {
            break
        }
        'rcli;exec;help;LASTSAVE' {
            break
        }
        'rcli;exec;help;LATENCY' {
            break
        }
        'rcli;exec;help;LCS' {
            break
        }
        'rcli;exec;help;LINDEX' {
            break
        }
        'rcli;exec;help;LINSERT' {
            break
        }
        'rcli;exec;help;LLEN' {
            break
        }
        'rcli;exec;help;LMOVE' {
            break
        }
        'rcli;exec;help;LMPOP' {
            break
        }
        'rcli;exec;help;LOLWUT' {
            break
        }
        'rcli;exec;help;LPOP' {
            break
        }
        'rcli;exec;help;LPOS' {
            break
        }
        'rcli;exec;help;LPUSH' {
            break
        }
        'rcli;exec;help;LPUSHX' {
            break
        }
        'rcli;exec;help;LRANGE' {
            break
        }
        'rcli;exec;help;LREM' {
            break
        }
        'rcli;exec;help;LSET' {
            break
        }
        'rcli;exec;help;LTRIM' {
            break
        }
        'rcli;exec;help;MEMORY' {
            break
        }
        'rcli;exec;help;MGET' {
            break
        }
        'rcli;exec;help;MIGRATE' {
            break
        }
        'rcli;exec;help;MODULE' {
            break
        }
        'rcli;exec;help;MONITOR' {
            break
        }
        'rcli;exec;help;MOVE' {
            break
        }
        'rcli;exec;help;MSET' {
            break
        }
        'rcli;exec;help;MSETEX' {
            break
        }
        'rcli;exec;help;MSETNX' {
            break
        }
        'rcli;exec;help;MULTI' {
            break
        }
        'rcli;exec;help;OBJECT' {
            break
        }
        'rcli;exec;help;PERSIST' {
            break
        }
        'rcli;exec;help;PEXPIRE' {
            break
        }
        'rcli;exec;help;PEXPIREAT' {
            break
        }
        'rcli;exec;help;PEXPIRETIME' {
            break
        }
        'rcli;exec;help;PFADD' {
            break
        }
        'rcli;exec;help;PFCOUNT' {
            break
        }
        'rcli;exec;help;PFDEBUG' {
            break
        }
        'rcli;exec;help;PFMERGE' {
            break
        }
        'rcli;exec;help;PFSELFTEST' {
            break
        }
        'rcli;exec;help;PING' {
            break
        }
        'rcli;exec;help;PSETEX' {
            break
        }
        'rcli;exec;help;PSUBSCRIBE' {
            break
        }
        'rcli;exec;help;PSYNC' {
            break
        }
        'rcli;exec;help;PTTL' {
            break
        }
        'rcli;exec;help;PUBLISH' {
            break
        }
        'rcli;exec;help;PUBSUB' {
            break
        }
        'rcli;exec;help;PUNSUBSCRIBE' {
            break
        }
        'rcli;exec;help;QUIT' {
            break
        }
        'rcli;exec;help;RANDOMKEY' {
            break
        }
        'rcli;exec;help;READONLY' {
            break
        }
        'rcli;exec;help;READWRITE' {
            break
        }
        'rcli;exec;help;RENAME' {
            break
        }
        'rcli;exec;help;RENAMENX' {
            break
        }
        'rcli;exec;help;REPLCONF' {
            break
        }
        'rcli;exec;help;REPLICAOF' {
            break
        }
        'rcli;exec;help;RESET' {
            break
        }
        'rcli;exec;help;RESTORE' {
            break
        }
        'rcli;exec;help;RESTORE-ASKING' {
            break
        }
        'rcli;exec;help;ROLE' {
            break
        }
        'rcli;exec;help;RPOP' {
            break
        }
        'rcli;exec;help;RPOPLPUSH' {
            break
        }
        'rcli;exec;help;RPUSH' {
            break
        }
        'rcli;exec;help;RPUSHX' {
            break
        }
        'rcli;exec;help;SADD' {
            break
        }
        'rcli;exec;help;SAVE' {
            break
        }
        'rcli;exec;help;SCAN' {
            break
        }
        'rcli;exec;help;SCARD' {
            break
        }
        'rcli;exec;help;SCRIPT' {
            break
        }
        'rcli;exec;help;SDIFF' {
            break
        }
        'rcli;exec;help;SDIFFSTORE' {
            break
        }
        'rcli;exec;help;SELECT' {
            break
        }
        'rcli;exec;help;SET' {
            break
        }
        'rcli;exec;help;SETBIT' {
            break
        }
        'rcli;exec;help;SETEX' {
            break
        }
        'rcli;exec;help;SETNX' {
            break
        }
        'rcli;exec;help;SETRANGE' {
            break
        }
        'rcli;exec;help;SHUTDOWN' {
            break
        }
        'rcli;exec;help;SINTER' {
            break
        }
        'rcli;exec;help;SINTERCARD' {
            break
        }
        'rcli;exec;help;SINTERSTORE' {
            break
        }
        'rcli;exec;help;SISMEMBER' {
            break
        }
        'rcli;exec;help;SLAVEOF' {
            break
        }
        'rcli;exec;help;SLOWLOG' {
            break
        }
        'rcli;exec;help;SMEMBERS' {
            break
        }
        'rcli;exec;help;SMISMEMBER' {
            break
        }
        'rcli;exec;help;SMOVE' {
            break
        }
        'rcli;exec;help;SORT' {
            break
        }
        'rcli;exec;help;SORT_RO' {
            break
        }
        'rcli;exec;help;SPOP' {
            break
        }
        'rcli;exec;help;SPUBLISH' {
            break
        }
        'rcli;exec;help;SRANDMEMBER' {
            break
        }
        'rcli;exec;help;SREM' {
            break
        }
        'rcli;exec;help;SSCAN' {
            break
        }
        'rcli;exec;help;SSUBSCRIBE' {
            break
        }
        'rcli;exec;help;STRLEN' {
            break
        }
        'rcli;exec;help;SUBSCRIBE' {
            break
        }
        'rcli;exec;help;SUBSTR' {
            break
        }
        'rcli;exec;help;SUNION' {
            break
        }
        'rcli;exec;help;SUNIONSTORE' {
            break
        }
        'rcli;exec;help;SUNSUBSCRIBE' {
            break
        }
        'rcli;exec;help;SWAPDB' {
            break
        }
        'rcli;exec;help;SYNC' {
            break
        }
        'rcli;exec;help;TIME' {
            break
        }
        'rcli;exec;help;TOUCH' {
            break
        }
        'rcli;exec;help;TTL' {
            break
        }
        'rcli;exec;help;TYPE' {
            break
        }
        'rcli;exec;help;UNLINK' {
            break
        }
        'rcli;exec;help;UNSUBSCRIBE' {
            break
        }
        'rcli;exec;help;UNWATCH' {
            break
        }
        'rcli;exec;help;WAIT' {
            break
        }
        'rcli;exec;help;WAITAOF' {
            break
        }
        'rcli;exec;help;WATCH' {
            break
        }
        'rcli;exec;help;XACK' {
            break
        }
        'rcli;exec;help;XACKDEL' {
            break
        }
        'rcli;exec;help;XADD' {
            break
        }
        'rcli;exec;help;XAUTOCLAIM' {
            break
        }
        'rcli;exec;help;XCLAIM' {
            break
        }
        'rcli;exec;help;XDEL' {
            break
        }
        'rcli;exec;help;XDELEX' {
            break
        }
        'rcli;exec;help;XGROUP' {
            break
        }
        'rcli;exec;help;XINFO' {
            break
        }
        'rcli;exec;help;XLEN' {
            break
        }
        'rcli;exec;help;XPENDING' {
            break
        }
        'rcli;exec;help;XRANGE' {
            break
        }
        'rcli;exec;help;XREAD' {
            break
        }
        'rcli;exec;help;XREADGROUP' {
            break
        }
        'rcli;exec;help;XREVRANGE' {
            break
        }
        'rcli;exec;help;XSETID' {
            break
        }
        'rcli;exec;help;XTRIM' {
            break
        }
        'rcli;exec;help;ZADD' {
            break
        }
        'rcli;exec;help;ZCARD' {
            break
        }
        'rcli;exec;help;ZCOUNT' {
            break
        }
        'rcli;exec;help;ZDIFF' {
            break
        }
        'rcli;exec;help;ZDIFFSTORE' {
            break
        }
        'rcli;exec;help;ZINCRBY' {
            break
        }
        'rcli;exec;help;ZINTER' {
            break
        }
        'rcli;exec;help;ZINTERCARD' {
            break
        }
        'rcli;exec;help;ZINTERSTORE' {
            break
        }
        'rcli;exec;help;ZLEXCOUNT' {
            break
        }
        'rcli;exec;help;ZMPOP' {
            break
        }
        'rcli;exec;help;ZMSCORE' {
            break
        }
        'rcli;exec;help;ZPOPMAX' {
            break
        }
        'rcli;exec;help;ZPOPMIN' {
            break
        }
        'rcli;exec;help;ZRANDMEMBER' {
            break
        }
        'rcli;exec;help;ZRANGE' {
            break
        }
        'rcli;exec;help;ZRANGEBYLEX' {
            break
        }
        'rcli;exec;help;ZRANGEBYSCORE' {
            break
        }
        'rcli;exec;help;ZRANGESTORE' {
            break
        }
        'rcli;exec;help;ZRANK' {
            break
        }
        'rcli;exec;help;ZREM' {
            break
        }
        'rcli;exec;help;ZREMRANGEBYLEX' {
            break
        }
        'rcli;exec;help;ZREMRANGEBYRANK' {
            break
        }
        'rcli;exec;help;ZREMRANGEBYSCORE' {
            break
        }
        'rcli;exec;help;ZREVRANGE' {
            break
        }
        'rcli;exec;help;ZREVRANGEBYLEX' {
            break
        }
        'rcli;exec;help;ZREVRANGEBYSCORE' {
            break
        }
        'rcli;exec;help;ZREVRANK' {
            break
        }
        'rcli;exec;help;ZSCAN' {
            break
        }
        'rcli;exec;help;ZSCORE' {
            break
        }
        'rcli;exec;help;ZUNION' {
            break
        }
        'rcli;exec;help;ZUNIONSTORE' {
            break
        }
        'rcli;exec;help;help' {
            break
        }
        'rcli;help' {
            [CompletionResult]::new('pipe', 'pipe', [CompletionResultType]::ParameterValue, 'Run the commands of files or standard input as a pipeline')
            [CompletionResult]::new('sub', 'sub', [CompletionResultType]::ParameterValue, 'Subscribe to channels and write each message as it arrives')
            [CompletionResult]::new('psub', 'psub', [CompletionResultType]::ParameterValue, 'Subscribe to patterns of channels and write each message as it arrives')
            [CompletionResult]::new('ssub', 'ssub', [CompletionResultType]::ParameterValue, 'Subscribe to shard channels and write each message as it arrives')
            [CompletionResult]::new('monitor', 'monitor', [CompletionResultType]::ParameterValue, 'Write every command that the server runs')
            [CompletionResult]::new('txn', 'txn', [CompletionResultType]::ParameterValue, 'Run commands as one MULTI/EXEC block, guarded by WATCH')
            [CompletionResult]::new('profiles', 'profiles', [CompletionResultType]::ParameterValue, 'List the profiles, without their passwords')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('generate', 'generate', [CompletionResultType]::ParameterValue, 'Write completions/ and man/, and with --table src/command/table/commands.json, below a directory')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run one command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rcli;help;pipe' {
            break
        }
        'rcli;help;sub' {
            break
        }
        'rcli;help;psub' {
            break
        }
        'rcli;help;ssub' {
            break
        }
        'rcli;help;monitor' {
            break
        }
        'rcli;help;txn' {
            break
        }
        'rcli;help;profiles' {
            break
        }
        'rcli;help;completions' {
            break
        }
        'rcli;help;generate' {
            break
        }
        'rcli;help;exec' {
            [CompletionResult]::new('ACL', 'ACL', [CompletionResultType]::ParameterValue, 'ACL')
            [CompletionResult]::new('APPEND', 'APPEND', [CompletionResultType]::ParameterValue, 'APPEND')
            [CompletionResult]::new('ASKING', 'ASKING', [CompletionResultType]::ParameterValue, 'ASKING')
            [CompletionResult]::new('AUTH', 'AUTH', [CompletionResultType]::ParameterValue, 'AUTH')
            [CompletionResult]::new('BGREWRITEAOF', 'BGREWRITEAOF', [CompletionResultType]::ParameterValue, 'BGREWRITEAOF')
            [CompletionResult]::new('BGSAVE', 'BGSAVE', [CompletionResultType]::ParameterValue, 'BGSAVE')
            [CompletionResult]::new('BITCOUNT', 'BITCOUNT', [CompletionResultType]::ParameterValue, 'BITCOUNT')
            [CompletionResult]::new('BITFIELD', 'BITFIELD', [CompletionResultType]::ParameterValue, 'BITFIELD')
            [CompletionResult]::new('BITFIELD_RO', 'BITFIELD_RO', [CompletionResultType]::ParameterValue, 'BITFIELD_RO')
            [CompletionResult]::new('BITOP', 'BITOP', [CompletionResultType]::ParameterValue, 'BITOP')
            [CompletionResult]::new('BITPOS', 'BITPOS', [CompletionResultType]::ParameterValue, 'BITPOS')
            [CompletionResult]::new('BLMOVE', 'BLMOVE', [CompletionResultType]::ParameterValue, 'BLMOVE')
            [CompletionResult]::new('BLMPOP', 'BLMPOP', [CompletionResultType]::ParameterValue, 'BLMPOP')
            [CompletionResult]::new('BLPOP', 'BLPOP', [CompletionResultType]::ParameterValue, 'BLPOP')
            [CompletionResult]::new('BRPOP', 'BRPOP', [CompletionResultType]::ParameterValue, 'BRPOP')
            [CompletionResult]::new('BRPOPLPUSH', 'BRPOPLPUSH', [CompletionResultType]::ParameterValue, 'BRPOPLPUSH')
            [CompletionResult]::new('BZMPOP', 'BZMPOP', [CompletionResultType]::ParameterValue, 'BZMPOP')
            [CompletionResult]::new('BZPOPMAX', 'BZPOPMAX', [CompletionResultType]::ParameterValue, 'BZPOPMAX')
            [CompletionResult]::new('BZPOPMIN', 'BZPOPMIN', [CompletionResultType]::ParameterValue, 'BZPOPMIN')
            [CompletionResult]::new('CLIENT', 'CLIENT', [CompletionResultType]::ParameterValue, 'CLIENT')
            [CompletionResult]::new('CLUSTER', 'CLUSTER', [CompletionResultType]::ParameterValue, 'CLUSTER')
            [CompletionResult]::new('CLUSTERSCAN', 'CLUSTERSCAN', [CompletionResultType]::ParameterValue, 'CLUSTERSCAN')
            [CompletionResult]::new('COMMAND', 'COMMAND', [CompletionResultType]::ParameterValue, 'COMMAND')
            [CompletionResult]::new('COMMANDLOG', 'COMMANDLOG', [CompletionResultType]::ParameterValue, 'COMMANDLOG')
            [CompletionResult]::new('CONFIG', 'CONFIG', [CompletionResultType]::ParameterValue, 'CONFIG')
            [CompletionResult]::new('COPY', 'COPY', [CompletionResultType]::ParameterValue, 'COPY')
            [CompletionResult]::new('DBSIZE', 'DBSIZE', [CompletionResultType]::ParameterValue, 'DBSIZE')
            [CompletionResult]::new('DEBUG', 'DEBUG', [CompletionResultType]::ParameterValue, 'DEBUG')
            [CompletionResult]::new('DECR', 'DECR', [CompletionResultType]::ParameterValue, 'DECR')
            [CompletionResult]::new('DECRBY', 'DECRBY', [CompletionResultType]::ParameterValue, 'DECRBY')
            [CompletionResult]::new('DEL', 'DEL', [CompletionResultType]::ParameterValue, 'DEL')
            [CompletionResult]::new('DELIFEQ', 'DELIFEQ', [CompletionResultType]::ParameterValue, 'DELIFEQ')
            [CompletionResult]::new('DISCARD', 'DISCARD', [CompletionResultType]::ParameterValue, 'DISCARD')
            [CompletionResult]::new('DUMP', 'DUMP', [CompletionResultType]::ParameterValue, 'DUMP')
            [CompletionResult]::new('ECHO', 'ECHO', [CompletionResultType]::ParameterValue, 'ECHO')
            [CompletionResult]::new('EVAL', 'EVAL', [CompletionResultType]::ParameterValue, 'EVAL')
            [CompletionResult]::new('EVALSHA', 'EVALSHA', [CompletionResultType]::ParameterValue, 'EVALSHA')
            [CompletionResult]::new('EVALSHA_RO', 'EVALSHA_RO', [CompletionResultType]::ParameterValue, 'EVALSHA_RO')
            [CompletionResult]::new('EVAL_RO', 'EVAL_RO', [CompletionResultType]::ParameterValue, 'EVAL_RO')
            [CompletionResult]::new('EXEC', 'EXEC', [CompletionResultType]::ParameterValue, 'EXEC')
            [CompletionResult]::new('EXISTS', 'EXISTS', [CompletionResultType]::ParameterValue, 'EXISTS')
            [CompletionResult]::new('EXPIRE', 'EXPIRE', [CompletionResultType]::ParameterValue, 'EXPIRE')
            [CompletionResult]::new('EXPIREAT', 'EXPIREAT', [CompletionResultType]::ParameterValue, 'EXPIREAT')
            [CompletionResult]::new('EXPIRETIME', 'EXPIRETIME', [CompletionResultType]::ParameterValue, 'EXPIRETIME')
            [CompletionResult]::new('FAILOVER', 'FAILOVER', [CompletionResultType]::ParameterValue, 'FAILOVER')
            [CompletionResult]::new('FCALL', 'FCALL', [CompletionResultType]::ParameterValue, 'FCALL')
            [CompletionResult]::new('FCALL_RO', 'FCALL_RO', [CompletionResultType]::ParameterValue, 'FCALL_RO')
            [CompletionResult]::new('FLUSHALL', 'FLUSHALL', [CompletionResultType]::ParameterValue, 'FLUSHALL')
            [CompletionResult]::new('FLUSHDB', 'FLUSHDB', [CompletionResultType]::ParameterValue, 'FLUSHDB')
            [CompletionResult]::new('FUNCTION', 'FUNCTION', [CompletionResultType]::ParameterValue, 'FUNCTION')
            [CompletionResult]::new('GEOADD', 'GEOADD', [CompletionResultType]::ParameterValue, 'GEOADD')
            [CompletionResult]::new('GEODIST', 'GEODIST', [CompletionResultType]::ParameterValue, 'GEODIST')
            [CompletionResult]::new('GEOHASH', 'GEOHASH', [CompletionResultType]::ParameterValue, 'GEOHASH')
            [CompletionResult]::new('GEOPOS', 'GEOPOS', [CompletionResultType]::ParameterValue, 'GEOPOS')
            [CompletionResult]::new('GEORADIUS', 'GEORADIUS', [CompletionResultType]::ParameterValue, 'GEORADIUS')
            [CompletionResult]::new('GEORADIUSBYMEMBER', 'GEORADIUSBYMEMBER', [CompletionResultType]::ParameterValue, 'GEORADIUSBYMEMBER')
            [CompletionResult]::new('GEORADIUSBYMEMBER_RO', 'GEORADIUSBYMEMBER_RO', [CompletionResultType]::ParameterValue, 'GEORADIUSBYMEMBER_RO')
            [CompletionResult]::new('GEORADIUS_RO', 'GEORADIUS_RO', [CompletionResultType]::ParameterValue, 'GEORADIUS_RO')
            [CompletionResult]::new('GEOSEARCH', 'GEOSEARCH', [CompletionResultType]::ParameterValue, 'GEOSEARCH')
            [CompletionResult]::new('GEOSEARCHSTORE', 'GEOSEARCHSTORE', [CompletionResultType]::ParameterValue, 'GEOSEARCHSTORE')
            [CompletionResult]::new('GET', 'GET', [CompletionResultType]::ParameterValue, 'GET')
            [CompletionResult]::new('GETBIT', 'GETBIT', [CompletionResultType]::ParameterValue, 'GETBIT')
            [CompletionResult]::new('GETDEL', 'GETDEL', [CompletionResultType]::ParameterValue, 'GETDEL')
            [CompletionResult]::new('GETEX', 'GETEX', [CompletionResultType]::ParameterValue, 'GETEX')
            [CompletionResult]::new('GETRANGE', 'GETRANGE', [CompletionResultType]::ParameterValue, 'GETRANGE')
            [CompletionResult]::new('GETSET', 'GETSET', [CompletionResultType]::ParameterValue, 'GETSET')
            [CompletionResult]::new('HDEL', 'HDEL', [CompletionResultType]::ParameterValue, 'HDEL')
            [CompletionResult]::new('HELLO', 'HELLO', [CompletionResultType]::ParameterValue, 'HELLO')
            [CompletionResult]::new('HEXISTS', 'HEXISTS', [CompletionResultType]::ParameterValue, 'HEXISTS')
            [CompletionResult]::new('HEXPIRE', 'HEXPIRE', [CompletionResultType]::ParameterValue, 'HEXPIRE')
            [CompletionResult]::new('HEXPIREAT', 'HEXPIREAT', [CompletionResultType]::ParameterValue, 'HEXPIREAT')
            [CompletionResult]::new('HEXPIRETIME', 'HEXPIRETIME', [CompletionResultType]::ParameterValue, 'HEXPIRETIME')
            [CompletionResult]::new('HGET', 'HGET', [CompletionResultType]::ParameterValue, 'HGET')
            [CompletionResult]::new('HGETALL', 'HGETALL', [CompletionResultType]::ParameterValue, 'HGETALL')
            [CompletionResult]::new('HGETDEL', 'HGETDEL', [CompletionResultType]::ParameterValue, 'HGETDEL')
            [CompletionResult]::new('HGETEX', 'HGETEX', [CompletionResultType]::ParameterValue, 'HGETEX')
            [CompletionResult]::new('HINCRBY', 'HINCRBY', [CompletionResultType]::ParameterValue, 'HINCRBY')
            [CompletionResult]::new('HINCRBYFLOAT', 'HINCRBYFLOAT', [CompletionResultType]::ParameterValue, 'HINCRBYFLOAT')
            [CompletionResult]::new('HKEYS', 'HKEYS', [CompletionResultType]::ParameterValue, 'HKEYS')
            [CompletionResult]::new('HLEN', 'HLEN', [CompletionResultType]::ParameterValue, 'HLEN')
            [CompletionResult]::new('HMGET', 'HMGET', [CompletionResultType]::ParameterValue, 'HMGET')
            [CompletionResult]::new('HMSET', 'HMSET', [CompletionResultType]::ParameterValue, 'HMSET')
            [CompletionResult]::new('HPERSIST', 'HPERSIST', [CompletionResultType]::ParameterValue, 'HPERSIST')
            [CompletionResult]::new('HPEXPIRE', 'HPEXPIRE', [CompletionResultType]::ParameterValue, 'HPEXPIRE')
            [CompletionResult]::new('HPEXPIREAT', 'HPEXPIREAT', [CompletionResultType]::ParameterValue, 'HPEXPIREAT')
            [CompletionResult]::new('HPEXPIRETIME', 'HPEXPIRETIME', [CompletionResultType]::ParameterValue, 'HPEXPIRETIME')
            [CompletionResult]::new('HPTTL', 'HPTTL', [CompletionResultType]::ParameterValue, 'HPTTL')
            [CompletionResult]::new('HRANDFIELD', 'HRANDFIELD', [CompletionResultType]::ParameterValue, 'HRANDFIELD')
            [CompletionResult]::new('HSCAN', 'HSCAN', [CompletionResultType]::ParameterValue, 'HSCAN')
            [CompletionResult]::new('HSET', 'HSET', [CompletionResultType]::ParameterValue, 'HSET')
            [CompletionResult]::new('HSETEX', 'HSETEX', [CompletionResultType]::ParameterValue, 'HSETEX')
            [CompletionResult]::new('HSETNX', 'HSETNX', [CompletionResultType]::ParameterValue, 'HSETNX')
            [CompletionResult]::new('HSTRLEN', 'HSTRLEN', [CompletionResultType]::ParameterValue, 'HSTRLEN')
            [CompletionResult]::new('HTTL', 'HTTL', [CompletionResultType]::ParameterValue, 'HTTL')
            [CompletionResult]::new('HVALS', 'HVALS', [CompletionResultType]::ParameterValue, 'HVALS')
            [CompletionResult]::new('INCR', 'INCR', [CompletionResultType]::ParameterValue, 'INCR')
            [CompletionResult]::new('INCRBY', 'INCRBY', [CompletionResultType]::ParameterValue, 'INCRBY')
            [CompletionResult]::new('INCRBYFLOAT', 'INCRBYFLOAT', [CompletionResultType]::ParameterValue, 'INCRBYFLOAT')
            [CompletionResult]::new('INFO', 'INFO', [CompletionResultType]::ParameterValue, 'INFO')
            [CompletionResult]::new('KEYS', 'KEYS', [CompletionResultType]::ParameterValue, 'KEYS')
            [CompletionResult]::new('LASTSAVE', 'LASTSAVE', [CompletionResultType]::ParameterValue, 'LASTSAVE')
            [CompletionResult]::new('LATENCY', 'LATENCY', [CompletionResultType]::ParameterValue, 'LATENCY')
            [CompletionResult]::new('LCS', 'LCS', [CompletionResultType]::ParameterValue, 'LCS')
            [CompletionResult]::new('LINDEX', 'LINDEX', [CompletionResultType]::ParameterValue, 'LINDEX')
            [CompletionResult]::new('LINSERT', 'LINSERT', [CompletionResultType]::ParameterValue, 'LINSERT')
            [CompletionResult]::new('LLEN', 'LLEN', [CompletionResultType]::ParameterValue, 'LLEN')
            [CompletionResult]::new('LMOVE', 'LMOVE', [CompletionResultType]::ParameterValue, 'LMOVE')
            [CompletionResult]::new('LMPOP', 'LMPOP', [CompletionResultType]::ParameterValue, 'LMPOP')
            [CompletionResult]::new('LOLWUT', 'LOLWUT', [CompletionResultType]::ParameterValue, 'LOLWUT')
            [CompletionResult]::new('LPOP', 'LPOP', [CompletionResultType]::ParameterValue, 'LPOP')
            [CompletionResult]::new('LPOS', 'LPOS', [CompletionResultType]::ParameterValue, 'LPOS')
            [CompletionResult]::new('LPUSH', 'LPUSH', [CompletionResultType]::ParameterValue, 'LPUSH')
            [CompletionResult]::new('LPUSHX', 'LPUSHX', [CompletionResultType]::ParameterValue, 'LPUSHX')
            [CompletionResult]::new('LRANGE', 'LRANGE', [CompletionResultType]::ParameterValue, 'LRANGE')
            [CompletionResult]::new('LREM', 'LREM', [CompletionResultType]::ParameterValue, 'LREM')
            [CompletionResult]::new('LSET', 'LSET', [CompletionResultType]::ParameterValue, 'LSET')
            [CompletionResult]::new('LTRIM', 'LTRIM', [CompletionResultType]::ParameterValue, 'LTRIM')
            [CompletionResult]::new('MEMORY', 'MEMORY', [CompletionResultType]::ParameterValue, 'MEMORY')
            [CompletionResult]::new('MGET', 'MGET', [CompletionResultType]::ParameterValue, 'MGET')
            [CompletionResult]::new('MIGRATE', 'MIGRATE', [CompletionResultType]::ParameterValue, 'MIGRATE')
            [CompletionResult]::new('MODULE', 'MODULE', [CompletionResultType]::ParameterValue, 'MODULE')
            [CompletionResult]::new('MONITOR', 'MONITOR', [CompletionResultType]::ParameterValue, 'MONITOR')
            [CompletionResult]::new('MOVE', 'MOVE', [CompletionResultType]::ParameterValue, 'MOVE')
            [CompletionResult]::new('MSET', 'MSET', [CompletionResultType]::ParameterValue, 'MSET')
            [CompletionResult]::new('MSETEX', 'MSETEX', [CompletionResultType]::ParameterValue, 'MSETEX')
            [CompletionResult]::new('MSETNX', 'MSETNX', [CompletionResultType]::ParameterValue, 'MSETNX')
            [CompletionResult]::new('MULTI', 'MULTI', [CompletionResultType]::ParameterValue, 'MULTI')
            [CompletionResult]::new('OBJECT', 'OBJECT', [CompletionResultType]::ParameterValue, 'OBJECT')
            [CompletionResult]::new('PERSIST', 'PERSIST', [CompletionResultType]::ParameterValue, 'PERSIST')
            [CompletionResult]::new('PEXPIRE', 'PEXPIRE', [CompletionResultType]::ParameterValue, 'PEXPIRE')
            [CompletionResult]::new('PEXPIREAT', 'PEXPIREAT', [CompletionResultType]::ParameterValue, 'PEXPIREAT')
            [CompletionResult]::new('PEXPIRETIME', 'PEXPIRETIME', [CompletionResultType]::ParameterValue, 'PEXPIRETIME')
            [CompletionResult]::new('PFADD', 'PFADD', [CompletionResultType]::ParameterValue, 'PFADD')
            [CompletionResult]::new('PFCOUNT', 'PFCOUNT', [CompletionResultType]::ParameterValue, 'PFCOUNT')
            [CompletionResult]::new('PFDEBUG', 'PFDEBUG', [CompletionResultType]::ParameterValue, 'PFDEBUG')
            [CompletionResult]::new('PFMERGE', 'PFMERGE', [CompletionResultType]::ParameterValue, 'PFMERGE')
            [CompletionResult]::new('PFSELFTEST', 'PFSELFTEST', [CompletionResultType]::ParameterValue, 'PFSELFTEST')
            [CompletionResult]::new('PING', 'PING', [CompletionResultType]::ParameterValue, 'PING')
            [CompletionResult]::new('PSETEX', 'PSETEX', [CompletionResultType]::ParameterValue, 'PSETEX')
            [CompletionResult]::new('PSUBSCRIBE', 'PSUBSCRIBE', [CompletionResultType]::ParameterValue, 'PSUBSCRIBE')
            [CompletionResult]::new('PSYNC', 'PSYNC', [CompletionResultType]::ParameterValue, 'PSYNC')
            [CompletionResult]::new('PTTL', 'PTTL', [CompletionResultType]::ParameterValue, 'PTTL')
            [CompletionResult]::new('PUBLISH', 'PUBLISH', [CompletionResultType]::ParameterValue, 'PUBLISH')
            [CompletionResult]::new('PUBSUB', 'PUBSUB', [CompletionResultType]::ParameterValue, 'PUBSUB')
            [CompletionResult]::new('PUNSUBSCRIBE', 'PUNSUBSCRIBE', [CompletionResultType]::ParameterValue, 'PUNSUBSCRIBE')
            [CompletionResult]::new('QUIT', 'QUIT', [CompletionResultType]::ParameterValue, 'QUIT')
            [CompletionResult]::new('RANDOMKEY', 'RANDOMKEY', [CompletionResultType]::ParameterValue, 'RANDOMKEY')
            [CompletionResult]::new('READONLY', 'READONLY', [CompletionResultType]::ParameterValue, 'READONLY')
            [CompletionResult]::new('READWRITE', 'READWRITE', [CompletionResultType]::ParameterValue, 'READWRITE')
            [CompletionResult]::new('RENAME', 'RENAME', [CompletionResultType]::ParameterValue, 'RENAME')
            [CompletionResult]::new('RENAMENX', 'RENAMENX', [CompletionResultType]::ParameterValue, 'RENAMENX')
            [CompletionResult]::new('REPLCONF', 'REPLCONF', [CompletionResultType]::ParameterValue, 'REPLCONF')
            [CompletionResult]::new('REPLICAOF', 'REPLICAOF', [CompletionResultType]::ParameterValue, 'REPLICAOF')
            [CompletionResult]::new('RESET', 'RESET', [CompletionResultType]::ParameterValue, 'RESET')
            [CompletionResult]::new('RESTORE', 'RESTORE', [CompletionResultType]::ParameterValue, 'RESTORE')
            [CompletionResult]::new('RESTORE-ASKING', 'RESTORE-ASKING', [CompletionResultType]::ParameterValue, 'RESTORE-ASKING')
            [CompletionResult]::new('ROLE', 'ROLE', [CompletionResultType]::ParameterValue, 'ROLE')
            [CompletionResult]::new('RPOP', 'RPOP', [CompletionResultType]::ParameterValue, 'RPOP')
            [CompletionResult]::new('RPOPLPUSH', 'RPOPLPUSH', [CompletionResultType]::ParameterValue, 'RPOPLPUSH')
            [CompletionResult]::new('RPUSH', 'RPUSH', [CompletionResultType]::ParameterValue, 'RPUSH')
            [CompletionResult]::new('RPUSHX', 'RPUSHX', [CompletionResultType]::ParameterValue, 'RPUSHX')
            [CompletionResult]::new('SADD', 'SADD', [CompletionResultType]::ParameterValue, 'SADD')
            [CompletionResult]::new('SAVE', 'SAVE', [CompletionResultType]::ParameterValue, 'SAVE')
            [CompletionResult]::new('SCAN', 'SCAN', [CompletionResultType]::ParameterValue, 'SCAN')
            [CompletionResult]::new('SCARD', 'SCARD', [CompletionResultType]::ParameterValue, 'SCARD')
            [CompletionResult]::new('SCRIPT', 'SCRIPT', [CompletionResultType]::ParameterValue, 'SCRIPT')
            [CompletionResult]::new('SDIFF', 'SDIFF', [CompletionResultType]::ParameterValue, 'SDIFF')
            [CompletionResult]::new('SDIFFSTORE', 'SDIFFSTORE', [CompletionResultType]::ParameterValue, 'SDIFFSTORE')
            [CompletionResult]::new('SELECT', 'SELECT', [CompletionResultType]::ParameterValue, 'SELECT')
            [CompletionResult]::new('SET', 'SET', [CompletionResultType]::ParameterValue, 'SET')
            [CompletionResult]::new('SETBIT', 'SETBIT', [CompletionResultType]::ParameterValue, 'SETBIT')
            [CompletionResult]::new('SETEX', 'SETEX', [CompletionResultType]::ParameterValue, 'SETEX')
            [CompletionResult]::new('SETNX', 'SETNX', [CompletionResultType]::ParameterValue, 'SETNX')
            [CompletionResult]::new('SETRANGE', 'SETRANGE', [CompletionResultType]::ParameterValue, 'SETRANGE')
            [CompletionResult]::new('SHUTDOWN', 'SHUTDOWN', [CompletionResultType]::ParameterValue, 'SHUTDOWN')
            [CompletionResult]::new('SINTER', 'SINTER', [CompletionResultType]::ParameterValue, 'SINTER')
            [CompletionResult]::new('SINTERCARD', 'SINTERCARD', [CompletionResultType]::ParameterValue, 'SINTERCARD')
            [CompletionResult]::new('SINTERSTORE', 'SINTERSTORE', [CompletionResultType]::ParameterValue, 'SINTERSTORE')
            [CompletionResult]::new('SISMEMBER', 'SISMEMBER', [CompletionResultType]::ParameterValue, 'SISMEMBER')
            [CompletionResult]::new('SLAVEOF', 'SLAVEOF', [CompletionResultType]::ParameterValue, 'SLAVEOF')
            [CompletionResult]::new('SLOWLOG', 'SLOWLOG', [CompletionResultType]::ParameterValue, 'SLOWLOG')
            [CompletionResult]::new('SMEMBERS', 'SMEMBERS', [CompletionResultType]::ParameterValue, 'SMEMBERS')
            [CompletionResult]::new('SMISMEMBER', 'SMISMEMBER', [CompletionResultType]::ParameterValue, 'SMISMEMBER')
            [CompletionResult]::new('SMOVE', 'SMOVE', [CompletionResultType]::ParameterValue, 'SMOVE')
            [CompletionResult]::new('SORT', 'SORT', [CompletionResultType]::ParameterValue, 'SORT')
            [CompletionResult]::new('SORT_RO', 'SORT_RO', [CompletionResultType]::ParameterValue, 'SORT_RO')
            [CompletionResult]::new('SPOP', 'SPOP', [CompletionResultType]::ParameterValue, 'SPOP')
            [CompletionResult]::new('SPUBLISH', 'SPUBLISH', [CompletionResultType]::ParameterValue, 'SPUBLISH')
            [CompletionResult]::new('SRANDMEMBER', 'SRANDMEMBER', [CompletionResultType]::ParameterValue, 'SRANDMEMBER')
            [CompletionResult]::new('SREM', 'SREM', [CompletionResultType]::ParameterValue, 'SREM')
            [CompletionResult]::new('SSCAN', 'SSCAN', [CompletionResultType]::ParameterValue, 'SSCAN')
            [CompletionResult]::new('SSUBSCRIBE', 'SSUBSCRIBE', [CompletionResultType]::ParameterValue, 'SSUBSCRIBE')
            [CompletionResult]::new('STRLEN', 'STRLEN', [CompletionResultType]::ParameterValue, 'STRLEN')
            [CompletionResult]::new('SUBSCRIBE', 'SUBSCRIBE', [CompletionResultType]::ParameterValue, 'SUBSCRIBE')
            [CompletionResult]::new('SUBSTR', 'SUBSTR', [CompletionResultType]::ParameterValue, 'SUBSTR')
            [CompletionResult]::new('SUNION', 'SUNION', [CompletionResultType]::ParameterValue, 'SUNION')
            [CompletionResult]::new('SUNIONSTORE', 'SUNIONSTORE', [CompletionResultType]::ParameterValue, 'SUNIONSTORE')
            [CompletionResult]::new('SUNSUBSCRIBE', 'SUNSUBSCRIBE', [CompletionResultType]::ParameterValue, 'SUNSUBSCRIBE')
            [CompletionResult]::new('SWAPDB', 'SWAPDB', [CompletionResultType]::ParameterValue, 'SWAPDB')
            [CompletionResult]::new('SYNC', 'SYNC', [CompletionResultType]::ParameterValue, 'SYNC')
            [CompletionResult]::new('TIME', 'TIME', [CompletionResultType]::ParameterValue, 'TIME')
            [CompletionResult]::new('TOUCH', 'TOUCH', [CompletionResultType]::ParameterValue, 'TOUCH')
            [CompletionResult]::new('TTL', 'TTL', [CompletionResultType]::ParameterValue, 'TTL')
            [CompletionResult]::new('TYPE', 'TYPE', [CompletionResultType]::ParameterValue, 'TYPE')
            [CompletionResult]::new('UNLINK', 'UNLINK', [CompletionResultType]::ParameterValue, 'UNLINK')
            [CompletionResult]::new('UNSUBSCRIBE', 'UNSUBSCRIBE', [CompletionResultType]::ParameterValue, 'UNSUBSCRIBE')
            [CompletionResult]::new('UNWATCH', 'UNWATCH', [CompletionResultType]::ParameterValue, 'UNWATCH')
            [CompletionResult]::new('WAIT', 'WAIT', [CompletionResultType]::ParameterValue, 'WAIT')
            [CompletionResult]::new('WAITAOF', 'WAITAOF', [CompletionResultType]::ParameterValue, 'WAITAOF')
            [CompletionResult]::new('WATCH', 'WATCH', [CompletionResultType]::ParameterValue, 'WATCH')
            [CompletionResult]::new('XACK', 'XACK', [CompletionResultType]::ParameterValue, 'XACK')
            [CompletionResult]::new('XACKDEL', 'XACKDEL', [CompletionResultType]::ParameterValue, 'XACKDEL')
            [CompletionResult]::new('XADD', 'XADD', [CompletionResultType]::ParameterValue, 'XADD')
            [CompletionResult]::new('XAUTOCLAIM', 'XAUTOCLAIM', [CompletionResultType]::ParameterValue, 'XAUTOCLAIM')
            [CompletionResult]::new('XCLAIM', 'XCLAIM', [CompletionResultType]::ParameterValue, 'XCLAIM')
            [CompletionResult]::new('XDEL', 'XDEL', [CompletionResultType]::ParameterValue, 'XDEL')
            [CompletionResult]::new('XDELEX', 'XDELEX', [CompletionResultType]::ParameterValue, 'XDELEX')
            [CompletionResult]::new('XGROUP', 'XGROUP', [CompletionResultType]::ParameterValue, 'XGROUP')
            [CompletionResult]::new('XINFO', 'XINFO', [CompletionResultType]::ParameterValue, 'XINFO')
            [CompletionResult]::new('XLEN', 'XLEN', [CompletionResultType]::ParameterValue, 'XLEN')
            [CompletionResult]::new('XPENDING', 'XPENDING', [CompletionResultType]::ParameterValue, 'XPENDING')
            [CompletionResult]::new('XRANGE', 'XRANGE', [CompletionResultType]::ParameterValue, 'XRANGE')
            [CompletionResult]::new('XREAD', 'XREAD', [CompletionResultType]::ParameterValue, 'XREAD')
            [CompletionResult]::new('XREADGROUP', 'XREADGROUP', [CompletionResultType]::ParameterValue, 'XREADGROUP')
            [CompletionResult]::new('XREVRANGE', 'XREVRANGE', [CompletionResultType]::ParameterValue, 'XREVRANGE')
            [CompletionResult]::new('XSETID', 'XSETID', [CompletionResultType]::ParameterValue, 'XSETID')
            [CompletionResult]::new('XTRIM', 'XTRIM', [CompletionResultType]::ParameterValue, 'XTRIM')
            [CompletionResult]::new('ZADD', 'ZADD', [CompletionResultType]::ParameterValue, 'ZADD')
            [CompletionResult]::new('ZCARD', 'ZCARD', [CompletionResultType]::ParameterValue, 'ZCARD')
            [CompletionResult]::new('ZCOUNT', 'ZCOUNT', [CompletionResultType]::ParameterValue, 'ZCOUNT')
            [CompletionResult]::new('ZDIFF', 'ZDIFF', [CompletionResultType]::ParameterValue, 'ZDIFF')
            [CompletionResult]::new('ZDIFFSTORE', 'ZDIFFSTORE', [CompletionResultType]::ParameterValue, 'ZDIFFSTORE')
            [CompletionResult]::new('ZINCRBY', 'ZINCRBY', [CompletionResultType]::ParameterValue, 'ZINCRBY')
            [CompletionResult]::new('ZINTER', 'ZINTER', [CompletionResultType]::ParameterValue, 'ZINTER')
            [CompletionResult]::new('ZINTERCARD', 'ZINTERCARD', [CompletionResultType]::ParameterValue, 'ZINTERCARD')
            [CompletionResult]::new('ZINTERSTORE', 'ZINTERSTORE', [CompletionResultType]::ParameterValue, 'ZINTERSTORE')
            [CompletionResult]::new('ZLEXCOUNT', 'ZLEXCOUNT', [CompletionResultType]::ParameterValue, 'ZLEXCOUNT')
            [CompletionResult]::new('ZMPOP', 'ZMPOP', [CompletionResultType]::ParameterValue, 'ZMPOP')
            [CompletionResult]::new('ZMSCORE', 'ZMSCORE', [CompletionResultType]::ParameterValue, 'ZMSCORE')
            [CompletionResult]::new('ZPOPMAX', 'ZPOPMAX', [CompletionResultType]::ParameterValue, 'ZPOPMAX')
            [CompletionResult]::new('ZPOPMIN', 'ZPOPMIN', [CompletionResultType]::ParameterValue, 'ZPOPMIN')
            [CompletionResult]::new('ZRANDMEMBER', 'ZRANDMEMBER', [CompletionResultType]::ParameterValue, 'ZRANDMEMBER')
            [CompletionResult]::new('ZRANGE', 'ZRANGE', [CompletionResultType]::ParameterValue, 'ZRANGE')
            [CompletionResult]::new('ZRANGEBYLEX', 'ZRANGEBYLEX', [CompletionResultType]::ParameterValue, 'ZRANGEBYLEX')
            [CompletionResult]::new('ZRANGEBYSCORE', 'ZRANGEBYSCORE', [CompletionResultType]::ParameterValue, 'ZRANGEBYSCORE')
            [CompletionResult]::new('ZRANGESTORE', 'ZRANGESTORE', [CompletionResultType]::ParameterValue, 'ZRANGESTORE')
            [CompletionResult]::new('ZRANK', 'ZRANK', [CompletionResultType]::ParameterValue, 'ZRANK')
            [CompletionResult]::new('ZREM', 'ZREM', [CompletionResultType]::ParameterValue, 'ZREM')
            [CompletionResult]::new('ZREMRANGEBYLEX', 'ZREMRANGEBYLEX', [CompletionResultType]::ParameterValue, 'ZREMRANGEBYLEX')
            [CompletionResult]::new('ZREMRANGEBYRANK', 'ZREMRANGEBYRANK', [CompletionResultType]::ParameterValue, 'ZREMRANGEBYRANK')
            [CompletionResult]::new('ZREMRANGEBYSCORE', 'ZREMRANGEBYSCORE', [CompletionResultType]::ParameterValue, 'ZREMRANGEBYSCORE')
            [CompletionResult]::new('ZREVRANGE', 'ZREVRANGE', [CompletionResultType]::ParameterValue, 'ZREVRANGE')
            [CompletionResult]::new('ZREVRANGEBYLEX', 'ZREVRANGEBYLEX', [CompletionResultType]::ParameterValue, 'ZREVRANGEBYLEX')
            [CompletionResult]::new('ZREVRANGEBYSCORE', 'ZREVRANGEBYSCORE', [CompletionResultType]::ParameterValue, 'ZREVRANGEBYSCORE')
            [CompletionResult]::new('ZREVRANK', 'ZREVRANK', [CompletionResultType]::ParameterValue, 'ZREVRANK')
            [CompletionResult]::new('ZSCAN', 'ZSCAN', [CompletionResultType]::ParameterValue, 'ZSCAN')
            [CompletionResult]::new('ZSCORE', 'ZSCORE', [CompletionResultType]::ParameterValue, 'ZSCORE')
            [CompletionResult]::new('ZUNION', 'ZUNION', [CompletionResultType]::ParameterValue, 'ZUNION')
            [CompletionResult]::new('ZUNIONSTORE', 'ZUNIONSTORE', [CompletionResultType]::ParameterValue, 'ZUNIONSTORE')
            break
        }
        'rcli;help;exec;ACL' {
            break
        }
        'rcli;help;exec;APPEND' {
            break
        }
        'rcli;help;exec;ASKING' {
            break
        }
        'rcli;help;exec;AUTH' {
            break
        }
        'rcli;help;exec;BGREWRITEAOF' {
            break
        }
        'rcli;help;exec;BGSAVE' {
            break
        }
        'rcli;help;exec;BITCOUNT' {
            break
        }
        'rcli;help;exec;BITFIELD' {
            break
        }
        'rcli;help;exec;BITFIELD_RO' {
            break
        }
        'rcli;help;exec;BITOP' {
            break
        }
        'rcli;help;exec;BITPOS' {
            break
        }
        'rcli;help;exec;BLMOVE' {
            break
        }
        'rcli;help;exec;BLMPOP' {
            break
        }
        'rcli;help;exec;BLPOP' {
            break
        }
        'rcli;help;exec;BRPOP' {
            break
        }
        'rcli;help;exec;BRPOPLPUSH' {
            break
        }
        'rcli;help;exec;BZMPOP' {
            break
        }
        'rcli;help;exec;BZPOPMAX' {
            break
        }
        'rcli;help;exec;BZPOPMIN' {
            break
        }
        'rcli;help;exec;CLIENT' {
            break
        }
        'rcli;help;exec;CLUSTER' {
            break
        }
        'rcli;help;exec;CLUSTERSCAN' {
            break
        }
        'rcli;help;exec;COMMAND' {
            break
        }
        'rcli;help;exec;COMMANDLOG' {
            break
        }
        'rcli;help;exec;CONFIG' {
            break
        }
        'rcli;help;exec;COPY' {
            break
        }
        'rcli;help;exec;DBSIZE' {
            break
        }
        'rcli;help;exec;DEBUG' {
            break
        }
        'rcli;help;exec;DECR' {
            break
        }
        'rcli;help;exec;DECRBY' {
            break
        }
        'rcli;help;exec;DEL' {
            break
        }
        'rcli;help;exec;DELIFEQ' {
            break
        }
        'rcli;help;exec;DISCARD' {
            break
        }
        'rcli;help;exec;DUMP' {
            break
        }
        'rcli;help;exec;ECHO' {
            break
        }
        'rcli;help;exec;EVAL' {
            break
        }
        'rcli;help;exec;EVALSHA' {
            break
        }
        'rcli;help;exec;EVALSHA_RO' {
            break
        }
        'rcli;help;exec;EVAL_RO' {
            break
        }
        'rcli;help;exec;EXEC' {
            break
        }
        'rcli;help;exec;EXISTS' {
            break
        }
        'rcli;help;exec;EXPIRE' {
            break
        }
        'rcli;help;exec;EXPIREAT' {
            break
        }
        'rcli;help;exec;EXPIRETIME' {
            break
        }
        'rcli;help;exec;FAILOVER' {
            break
        }
        'rcli;help;exec;FCALL' {
            break
        }
        'rcli;help;exec;FCALL_RO' {
            break
        }
        'rcli;help;exec;FLUSHALL' {
            break
        }
        'rcli;help;exec;FLUSHDB' {
            break
        }
        'rcli;help;exec;FUNCTION' {
            break
        }
        'rcli;help;exec;GEOADD' {
            break
        }
        'rcli;help;exec;GEODIST' {
            break
        }
        'rcli;help;exec;GEOHASH' {
            break
        }
        'rcli;help;exec;GEOPOS' {
            break
        }
        'rcli;help;exec;GEORADIUS' {
            break
        }
        'rcli;help;exec;GEORADIUSBYMEMBER' {
            break
        }
        'rcli;help;exec;GEORADIUSBYMEMBER_RO' {
            break
        }
        'rcli;help;exec;GEORADIUS_RO' {
            break
        }
        'rcli;help;exec;GEOSEARCH' {
            break
        }
        'rcli;help;exec;GEOSEARCHSTORE' {
            break
        }
        'rcli;help;exec;GET' {
            break
        }
        'rcli;help;exec;GETBIT' {
            break
        }
        'rcli;help;exec;GETDEL' {
            break
        }
        'rcli;help;exec;GETEX' {
            break
        }
        'rcli;help;exec;GETRANGE' {
            break
        }
        'rcli;help;exec;GETSET' {
            break
        }
        'rcli;help;exec;HDEL' {
            break
        }
        'rcli;help;exec;HELLO' {
            break
        }
        'rcli;help;exec;HEXISTS' {
            break
        }
        'rcli;help;exec;HEXPIRE' {
            break
        }
        'rcli;help;exec;HEXPIREAT' {
            break
        }
        'rcli;help;exec;HEXPIRETIME' {
            break
        }
        'rcli;help;exec;HGET' {
            break
        }
        'rcli;help;exec;HGETALL' {
            break
        }
        'rcli;help;exec;HGETDEL' {
            break
        }
        'rcli;help;exec;HGETEX' {
            break
        }
        'rcli;help;exec;HINCRBY' {
            break
        }
        'rcli;help;exec;HINCRBYFLOAT' {
            break
        }
        'rcli;help;exec;HKEYS' {
            break
        }
        'rcli;help;exec;HLEN' {
            break
        }
        'rcli;help;exec;HMGET' {
            break
        }
        'rcli;help;exec;HMSET' {
            break
        }
        'rcli;help;exec;HPERSIST' {
            break
        }
        'rcli;help;exec;HPEXPIRE' {
            break
        }
        'rcli;help;exec;HPEXPIREAT' {
            break
        }
        'rcli;help;exec;HPEXPIRETIME' {
            break
        }
        'rcli;help;exec;HPTTL' {
            break
        }
        'rcli;help;exec;HRANDFIELD' {
            break
        }
        'rcli;help;exec;HSCAN' {
            break
        }
        'rcli;help;exec;HSET' {
            break
        }
        'rcli;help;exec;HSETEX' {
            break
        }
        'rcli;help;exec;HSETNX' {
            break
        }
        'rcli;help;exec;HSTRLEN' {
            break
        }
        'rcli;help;exec;HTTL' {
            break
        }
        'rcli;help;exec;HVALS' {
            break
        }
        'rcli;help;exec;INCR' {
            break
        }
        'rcli;help;exec;INCRBY' {
            break
        }
        'rcli;help;exec;INCRBYFLOAT' {
            break
        }
        'rcli;help;exec;INFO' {
            break
        }
        'rcli;help;exec;KEYS' {
            break
        }
        'rcli;help;exec;LASTSAVE' {
            break
        }
        'rcli;help;exec;LATENCY' {
            break
        }
        'rcli;help;exec;LCS' {
            break
        }
        'rcli;help;exec;LINDEX' {
            break
        }
        'rcli;help;exec;LINSERT' {
            break
        }
        'rcli;help;exec;LLEN' {
            break
        }
        'rcli;help;exec;LMOVE' {
            break
        }
        'rcli;help;exec;LMPOP' {
            break
        }
        'rcli;help;exec;LOLWUT' {
            break
        }
        'rcli;help;exec;LPOP' {
            break
        }
        'rcli;help;exec;LPOS' {
            break
        }
        'rcli;help;exec;LPUSH' {
            break
        }
        'rcli;help;exec;LPUSHX' {
            break
        }
        'rcli;help;exec;LRANGE' {
            break
        }
        'rcli;help;exec;LREM' {
            break
        }
        'rcli;help;exec;LSET' {
            break
        }
        'rcli;help;exec;LTRIM' {
            break
        }
        'rcli;help;exec;MEMORY' {
            break
        }
        'rcli;help;exec;MGET' {
            break
        }
        'rcli;help;exec;MIGRATE' {
            break
        }
        'rcli;help;exec;MODULE' {
            break
        }
        'rcli;help;exec;MONITOR' {
            break
        }
        'rcli;help;exec;MOVE' {
            break
        }
        'rcli;help;exec;MSET' {
            break
        }
        'rcli;help;exec;MSETEX' {
            break
        }
        'rcli;help;exec;MSETNX' {
            break
        }
        'rcli;help;exec;MULTI' {
            break
        }
        'rcli;help;exec;OBJECT' {
            break
        }
        'rcli;help;exec;PERSIST' {
            break
        }
        'rcli;help;exec;PEXPIRE' {
            break
        }
        'rcli;help;exec;PEXPIREAT' {
            break
        }
        'rcli;help;exec;PEXPIRETIME' {
            break
        }
        'rcli;help;exec;PFADD' {
            break
        }
        'rcli;help;exec;PFCOUNT' {
            break
        }
        'rcli;help;exec;PFDEBUG' {
            break
        }
        'rcli;help;exec;PFMERGE' {
            break
        }
        'rcli;help;exec;PFSELFTEST' {
            break
        }
        'rcli;help;exec;PING' {
            break
        }
        'rcli;help;exec;PSETEX' {
            break
        }
        'rcli;help;exec;PSUBSCRIBE' {
            break
        }
        'rcli;help;exec;PSYNC' {
            break
        }
        'rcli;help;exec;PTTL' {
            break
        }
        'rcli;help;exec;PUBLISH' {
            break
        }
        'rcli;help;exec;PUBSUB' {
            break
        }
        'rcli;help;exec;PUNSUBSCRIBE' {
            break
        }
        'rcli;help;exec;QUIT' {
            break
        }
        'rcli;help;exec;RANDOMKEY' {
            break
        }
        'rcli;help;exec;READONLY' {
            break
        }
        'rcli;help;exec;READWRITE' {
            break
        }
        'rcli;help;exec;RENAME' {
            break
        }
        'rcli;help;exec;RENAMENX' {
            break
        }
        'rcli;help;exec;REPLCONF' {
            break
        }
        'rcli;help;exec;REPLICAOF' {
            break
        }
        'rcli;help;exec;RESET' {
            break
        }
        'rcli;help;exec;RESTORE' {
            break
        }
        'rcli;help;exec;RESTORE-ASKING' {
            break
        }
        'rcli;help;exec;ROLE' {
            break
        }
        'rcli;help;exec;RPOP' {
            break
        }
        'rcli;help;exec;RPOPLPUSH' {
            break
        }
        'rcli;help;exec;RPUSH' {
            break
        }
        'rcli;help;exec;RPUSHX' {
            break
        }
        'rcli;help;exec;SADD' {
            break
        }
        'rcli;help;exec;SAVE' {
            break
        }
        'rcli;help;exec;SCAN' {
            break
        }
        'rcli;help;exec;SCARD' {
            break
        }
        'rcli;help;exec;SCRIPT' {
            break
        }
        'rcli;help;exec;SDIFF' {
            break
        }
        'rcli;help;exec;SDIFFSTORE' {
            break
        }
        'rcli;help;exec;SELECT' {
            break
        }
        'rcli;help;exec;SET' {
            break
        }
        'rcli;help;exec;SETBIT' {
            break
        }
        'rcli;help;exec;SETEX' {
            break
        }
        'rcli;help;exec;SETNX' {
            break
        }
        'rcli;help;exec;SETRANGE' {
            break
        }
        'rcli;help;exec;SHUTDOWN' {
            break
        }
        'rcli;help;exec;SINTER' {
            break
        }
        'rcli;help;exec;SINTERCARD' {
            break
        }
        'rcli;help;exec;SINTERSTORE' {
            break
        }
        'rcli;help;exec;SISMEMBER' {
            break
        }
        'rcli;help;exec;SLAVEOF' {
            break
        }
        'rcli;help;exec;SLOWLOG' {
            break
        }
        'rcli;help;exec;SMEMBERS' {
            break
        }
        'rcli;help;exec;SMISMEMBER' {
            break
        }
        'rcli;help;exec;SMOVE' {
            break
        }
        'rcli;help;exec;SORT' {
            break
        }
        'rcli;help;exec;SORT_RO' {
            break
        }
        'rcli;help;exec;SPOP' {
            break
        }
        'rcli;help;exec;SPUBLISH' {
            break
        }
        'rcli;help;exec;SRANDMEMBER' {
            break
        }
        'rcli;help;exec;SREM' {
            break
        }
        'rcli;help;exec;SSCAN' {
            break
        }
        'rcli;help;exec;SSUBSCRIBE' {
            break
        }
        'rcli;help;exec;STRLEN' {
            break
        }
        'rcli;help;exec;SUBSCRIBE' {
            break
        }
        'rcli;help;exec;SUBSTR' {
            break
        }
        'rcli;help;exec;SUNION' {
            break
        }
        'rcli;help;exec;SUNIONSTORE' {
            break
        }
        'rcli;help;exec;SUNSUBSCRIBE' {
            break
        }
        'rcli;help;exec;SWAPDB' {
            break
        }
        'rcli;help;exec;SYNC' {
            break
        }
        'rcli;help;exec;TIME' {
            break
        }
        'rcli;help;exec;TOUCH' {
            break
        }
        'rcli;help;exec;TTL' {
            break
        }
        'rcli;help;exec;TYPE' {
            break
        }
        'rcli;help;exec;UNLINK' {
            break
        }
        'rcli;help;exec;UNSUBSCRIBE' {
            break
        }
        'rcli;help;exec;UNWATCH' {
            break
        }
        'rcli;help;exec;WAIT' {
            break
        }
        'rcli;help;exec;WAITAOF' {
            break
        }
        'rcli;help;exec;WATCH' {
            break
        }
        'rcli;help;exec;XACK' {
            break
        }
        'rcli;help;exec;XACKDEL' {
            break
        }
        'rcli;help;exec;XADD' {
            break
        }
        'rcli;help;exec;XAUTOCLAIM' {
            break
        }
        'rcli;help;exec;XCLAIM' {
            break
        }
        'rcli;help;exec;XDEL' {
            break
        }
        'rcli;help;exec;XDELEX' {
            break
        }
        'rcli;help;exec;XGROUP' {
            break
        }
        'rcli;help;exec;XINFO' {
            break
        }
        'rcli;help;exec;XLEN' {
            break
        }
        'rcli;help;exec;XPENDING' {
            break
        }
        'rcli;help;exec;XRANGE' {
            break
        }
        'rcli;help;exec;XREAD' {
            break
        }
        'rcli;help;exec;XREADGROUP' {
            break
        }
        'rcli;help;exec;XREVRANGE' {
            break
        }
        'rcli;help;exec;XSETID' {
            break
        }
        'rcli;help;exec;XTRIM' {
            break
        }
        'rcli;help;exec;ZADD' {
            break
        }
        'rcli;help;exec;ZCARD' {
            break
        }
        'rcli;help;exec;ZCOUNT' {
            break
        }
        'rcli;help;exec;ZDIFF' {
            break
        }
        'rcli;help;exec;ZDIFFSTORE' {
            break
        }
        'rcli;help;exec;ZINCRBY' {
            break
        }
        'rcli;help;exec;ZINTER' {
            break
        }
        'rcli;help;exec;ZINTERCARD' {
            break
        }
        'rcli;help;exec;ZINTERSTORE' {
            break
        }
        'rcli;help;exec;ZLEXCOUNT' {
            break
        }
        'rcli;help;exec;ZMPOP' {
            break
        }
        'rcli;help;exec;ZMSCORE' {
            break
        }
        'rcli;help;exec;ZPOPMAX' {
            break
        }
        'rcli;help;exec;ZPOPMIN' {
            break
        }
        'rcli;help;exec;ZRANDMEMBER' {
            break
        }
        'rcli;help;exec;ZRANGE' {
            break
        }
        'rcli;help;exec;ZRANGEBYLEX' {
            break
        }
        'rcli;help;exec;ZRANGEBYSCORE' {
            break
        }
        'rcli;help;exec;ZRANGESTORE' {
            break
        }
        'rcli;help;exec;ZRANK' {
            break
        }
        'rcli;help;exec;ZREM' {
            break
        }
        'rcli;help;exec;ZREMRANGEBYLEX' {
            break
        }
        'rcli;help;exec;ZREMRANGEBYRANK' {
            break
        }
        'rcli;help;exec;ZREMRANGEBYSCORE' {
            break
        }
        'rcli;help;exec;ZREVRANGE' {
            break
        }
        'rcli;help;exec;ZREVRANGEBYLEX' {
            break
        }
        'rcli;help;exec;ZREVRANGEBYSCORE' {
            break
        }
        'rcli;help;exec;ZREVRANK' {
            break
        }
        'rcli;help;exec;ZSCAN' {
            break
        }
        'rcli;help;exec;ZSCORE' {
            break
        }
        'rcli;help;exec;ZUNION' {
            break
        }
        'rcli;help;exec;ZUNIONSTORE' {
            break
        }
        'rcli;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
