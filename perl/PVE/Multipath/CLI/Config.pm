package PVE::Multipath::CLI::Config;

# pvemultipath config and problems: the cluster's configuration, and the problems in it.

use v5.36;

use List::Util qw(max);

use PVE::Multipath::CLI::Lun qw(configured_wwid);
use PVE::Multipath::CLI::Output qw(terminal_width use_color plural print_result);
use PVE::Multipath::CLI::Severity qw(severity_color severity_counts severity_exit_code);
use PVE::Multipath::Config;
use PVE::Multipath::Text qw(characters decode_texts safe one_line width pad wrap shrink table);

my $EXIT_DONE = 0;

# With less, names and values of knobs would be broken.
my $LEAST_KNOBS_WIDTH = 25;

my $origins = { default => 'default', cluster => 'cluster', lun => 'LUN' };

# --- problems ---

# Errors first. By default for the installed version of multipath-tools.
my sub sorted_problems($source, $cfg, $version = undef) {
    my $found = defined($version)
        ? eval { PVE::Multipath::Config::problems($cfg, $version) } // die "--multipath-tools: $@"
        : $source->problems($cfg);
    my @sorted = map {
        my $severity = $_;
        grep { $_->{severity} eq $severity } @$found;
    } qw(error warning);
    return decode_texts(\@sorted);
}

my sub problem_lines($problems) {
    return 'No problems.' if !@$problems;

    my ($width, $colored) = (terminal_width(), use_color());
    my @lines;
    for my $problem (@$problems) {
        my ($severity, $section, $property) = $problem->@{qw(severity section property)};

        my @place = defined($section) ? "section '$section'" : ();
        push @place, $property if defined($property);
        my $sentence = join(': ', $severity, join(', ', @place) || (), $problem->{message});

        my ($first, @more) =
            wrap(one_line($sentence), $width, '    ');
        substr($first, 0, length($severity)) = severity_color($severity, $severity, $colored);
        push @lines, $first, @more;
    }
    return (@lines, '', severity_counts($problems));
}

sub problems($source, $opts) {
    my $cfg = $source->quiet_config();
    my $problems = sorted_problems($source, $cfg, $opts->{'multipath-tools'});

    print_result($opts, $problems, sub() { problem_lines($problems) });
    return severity_exit_code($problems);
}

# --- values in effect ---

my sub knob_lines($knobs, $width) {
    my @names = sort keys %$knobs;
    my $columns = [
        { title => 'KNOB', cells => [map { safe($_) } @names] },
        { title => 'VALUE', cells => [map { safe($knobs->{$_}->{value}) } @names] },
        { title => 'FROM', cells => [map { $origins->{ $knobs->{$_}->{from} } } @names] },
    ];
    shrink($columns, $width, 8);
    return table($columns);
}

# 'KNOB VALUE' for each knob that the LUN's section sets.
my sub own_knobs($lun) {
    my $knobs = $lun->{knobs};
    my @own = grep { $knobs->{$_}->{from} eq 'lun' } sort keys %$knobs;
    return map { safe("$_ $knobs->{$_}->{value}") } @own;
}

# As many parts per line as fit.
my sub fill($parts, $width) {
    my @lines;
    for my $part (@$parts) {
        if (@lines && width("$lines[-1], $part,") <= $width) {
            $lines[-1] .= ", $part";
            next;
        }
        $lines[-1] .= ',' if @lines;
        push @lines, wrap($part, $width - 1, '  ');
    }
    return @lines;
}

# A line for each LUN, with the knobs that its section sets beside it, or below if there is no room.
my sub lun_lines($luns, $width) {
    my @rows = map {
        my $lun = $luns->{$_};
        [safe($_), safe($lun->{alias} // '-'), own_knobs($lun)]
    } sort keys %$luns;
    unshift @rows, ['LUN', 'ALIAS', 'OWN KNOBS'];

    my ($wwid_width, $alias_width) = map {
        my $i = $_;
        max(map { width($_->[$i]) } @rows);
    } 0, 1;
    my $indent = $wwid_width + 2 + $alias_width + 2;
    my $beside = $width - $indent >= $LEAST_KNOBS_WIDTH;
    $indent = 4 if !$beside;

    my @lines;
    for my $row (@rows) {
        my ($wwid, $alias, @knobs) = @$row;
        my @knob_lines = fill(\@knobs, $width - $indent);

        my $line = join('  ', pad($wwid, $wwid_width), pad($alias, $alias_width));
        if ($beside) {
            $line .= '  ' . (shift(@knob_lines) // '-');
        } elsif (width($line) > $width) {
            # not cut: a part of a WWID could be taken for another WWID
            my $rest = $width - $indent;
            push @lines, $wwid =~ m/.{1,$width}/g;
            push @lines, map { ' ' x $indent . $_ } $alias =~ m/.{1,$rest}/g;
            $line = pop @lines;
        }
        push @lines, $line =~ s/ +\z//r, map { ' ' x $indent . $_ } @knob_lines;
    }
    return @lines;
}

my sub lun_summary($luns) {
    my $with_own = grep { scalar(own_knobs($_)) } values %$luns;
    my $whose = $with_own == 1 ? 'its' : 'their';
    return plural(scalar(keys %$luns), 'LUN') . ", $with_own with knobs of $whose own";
}

my sub config_lines($effective, $problems, $wwid) {
    my $width = terminal_width();
    my $wrap = sub($line) { wrap($line, $width, '    ') };
    my $luns = $effective->{luns};
    my @lines;

    if (defined($wwid)) {
        my $lun = $luns->{$wwid};
        my @name = (safe($wwid), defined($lun->{alias}) ? safe($lun->{alias}) : ());
        push @lines, $wrap->(join('  ', @name)), '';
        push @lines, knob_lines($lun->{knobs}, $width) if $lun->{knobs}->%*;
        push @lines, $wrap->('No knob is set: the defaults of multipathd apply.')
            if !$lun->{knobs}->%*;
    } else {
        push @lines, knob_lines($effective->{defaults}, $width), '';
        push @lines, lun_lines($luns, $width), '', $wrap->(lun_summary($luns)) if %$luns;
        push @lines, 'No LUN is allow-listed.' if !%$luns;
    }

    push @lines, '',
        $wrap->(severity_counts($problems) . ": 'pvemultipath problems' lists them")
        if @$problems;
    return @lines;
}

sub config($source, $opts) {
    my $cfg = $source->config();
    my $effective = PVE::Multipath::Config::effective($cfg);
    my $name = $opts->{wwid};
    my $wwid = defined($name) ? configured_wwid($cfg, $name) // $name : undef;
    if (defined($wwid)) {
        my $lun = $effective->{luns}->{$wwid}
            // die "--wwid: no LUN with the WWID or alias '" . safe(characters($name)) . "' is configured\n";
        $effective->{luns} = { $wwid => $lun };
    }

    print_result($opts, { %$effective, digest => $cfg->{digest} }, sub() {
        return config_lines($effective, sorted_problems($source, $cfg), $wwid);
    });
    return $EXIT_DONE;
}

1;
