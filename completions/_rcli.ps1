
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
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address [default: 127.0.0.1]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address [default: 127.0.0.1]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, in seconds [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, in seconds [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, PEM [default: the system''s]')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'Read the argument that is TAG from standard input')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Run the command N times; -1: for ever')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Pause between the runs of -r, in seconds')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about -a')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Check neither certificate nor host name')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Read the last argument from standard input')
            [CompletionResult]::new('--quoted-input', '--quoted-input', [CompletionResultType]::ParameterName, 'Unquote the arguments as lines of input are unquoted')
            [CompletionResult]::new('pipe', 'pipe', [CompletionResultType]::ParameterValue, 'Run the commands of files or standard input as a pipeline')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('generate', 'generate', [CompletionResultType]::ParameterValue, 'Write completions/ and man/ below a directory')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run one command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rcli;pipe' {
            [CompletionResult]::new('--on-error', '--on-error', [CompletionResultType]::ParameterName, 'After an error reply: go on, or send nothing more and end')
            [CompletionResult]::new('--skip', '--skip', [CompletionResultType]::ParameterName, 'Skip the first N commands, to resume')
            [CompletionResult]::new('--window', '--window', [CompletionResultType]::ParameterName, 'Commands in flight at most [default: chosen for throughput]')
            [CompletionResult]::new('--progress', '--progress', [CompletionResultType]::ParameterName, 'Show a progress bar on stderr')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address [default: 127.0.0.1]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address [default: 127.0.0.1]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, in seconds [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, in seconds [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, PEM [default: the system''s]')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--atomic', '--atomic', [CompletionResultType]::ParameterName, 'Run the whole input as one MULTI/EXEC')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Write no replies; errors still go to stderr')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Write no replies; errors still go to stderr')
            [CompletionResult]::new('--envelope', '--envelope', [CompletionResultType]::ParameterName, 'Write {"index","line","command","reply"} lines of JSON')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Parse all the input, run nothing, connect to nothing')
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'End with a line on stderr: commands, replies, errors, seconds, rate')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about -a')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Check neither certificate nor host name')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'rcli;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address [default: 127.0.0.1]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address [default: 127.0.0.1]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, in seconds [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, in seconds [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, PEM [default: the system''s]')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about -a')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Check neither certificate nor host name')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'rcli;generate' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address [default: 127.0.0.1]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address [default: 127.0.0.1]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, in seconds [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, in seconds [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, PEM [default: the system''s]')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about -a')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Check neither certificate nor host name')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'rcli;exec' {
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'Read the argument that is TAG from standard input')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Run the command N times; -1: for ever')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Pause between the runs of -r, in seconds')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Server host name or address [default: 127.0.0.1]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Server host name or address [default: 127.0.0.1]')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Server port [default: 6379]')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Server port [default: 6379]')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('--socket', '--socket', [CompletionResultType]::ParameterName, 'Unix socket of the server')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('--url', '--url', [CompletionResultType]::ParameterName, 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'Database number [default: 0]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--pass', '--pass', [CompletionResultType]::ParameterName, 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'ACL user name')
            [CompletionResult]::new('--pass-file', '--pass-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of a file')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Limit on connecting, in seconds [default: 5]')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Limit on connecting, in seconds [default: 5]')
            [CompletionResult]::new('--read-timeout', '--read-timeout', [CompletionResultType]::ParameterName, 'Limit on the silence while an answer is waited for, in seconds [default: none]')
            [CompletionResult]::new('--cacert', '--cacert', [CompletionResultType]::ParameterName, 'Authorities to trust, PEM [default: the system''s]')
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Client certificate, PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Key of the client certificate, PEM')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'Host name to ask for, and to check the certificate against')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Raw: between the elements of a reply [default: newline]')
            [CompletionResult]::new('-D', '-D ', [CompletionResultType]::ParameterName, 'Raw: after a reply [default: newline]')
            [CompletionResult]::new('--encoding', '--encoding', [CompletionResultType]::ParameterName, 'JSON: how bulk strings are written [default: utf8]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours [default: auto]')
            [CompletionResult]::new('-x', '-x', [CompletionResultType]::ParameterName, 'Read the last argument from standard input')
            [CompletionResult]::new('--quoted-input', '--quoted-input', [CompletionResultType]::ParameterName, 'Unquote the arguments as lines of input are unquoted')
            [CompletionResult]::new('--askpass', '--askpass', [CompletionResultType]::ParameterName, 'Ask for the password on the terminal')
            [CompletionResult]::new('--no-auth-warning', '--no-auth-warning', [CompletionResultType]::ParameterName, 'No warning about -a')
            [CompletionResult]::new('-2', '-2', [CompletionResultType]::ParameterName, 'Speak RESP2')
            [CompletionResult]::new('-3', '-3', [CompletionResultType]::ParameterName, 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Check neither certificate nor host name')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Run against a throw-away local server')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'One line of JSON a reply [env: RCLI_FORMAT=json]')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Bytes as they are, one element a line [default when stdout is not a terminal]')
            [CompletionResult]::new('--human', '--human', [CompletionResultType]::ParameterName, 'Typed text [default on a terminal]')
            [CompletionResult]::new('--show-pushes', '--show-pushes', [CompletionResultType]::ParameterName, 'Write out-of-band pushes as {"push":[...]} lines')
            [CompletionResult]::new('-?', '-?', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print the version')
            break
        }
        'rcli;help' {
            [CompletionResult]::new('pipe', 'pipe', [CompletionResultType]::ParameterValue, 'Run the commands of files or standard input as a pipeline')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('generate', 'generate', [CompletionResultType]::ParameterValue, 'Write completions/ and man/ below a directory')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run one command')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rcli;help;pipe' {
            break
        }
        'rcli;help;completions' {
            break
        }
        'rcli;help;generate' {
            break
        }
        'rcli;help;exec' {
            break
        }
        'rcli;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
