
Register-ArgumentCompleter -Native -CommandName rcli -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $prev = $env:RCLI_COMPLETE;
    $env:RCLI_COMPLETE = "powershell";

    $args = $commandAst.Extent.Text
    $args = $args.Substring(0, [math]::Min($cursorPosition, $args.Length));
    if ($wordToComplete -eq "") {
        $args += " ''";
    }

    $results = Invoke-Expression @"
& rcli -- $args
"@;
    if ($null -eq $prev) {
        Remove-Item Env:\RCLI_COMPLETE;
    } else {
        $env:RCLI_COMPLETE = $prev;
    }
    $results | ForEach-Object {
        $split = $_.Split("`t");
        $cmd = $split[0];

        if ($split.Length -eq 2) {
            $help = $split[1];
        }
        else {
            $help = $split[0];
        }

        [System.Management.Automation.CompletionResult]::new($cmd, $cmd, 'ParameterValue', $help)
    }
};
        
