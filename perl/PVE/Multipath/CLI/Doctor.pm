package PVE::Multipath::CLI::Doctor;

# pvemultipath doctor: why LUNs are missing, and what helps.

use v5.36;

use PVE::Multipath::CLI::Lun qw(configured_wwid);
use PVE::Multipath::CLI::Output qw(terminal_width use_color print_result);
use PVE::Multipath::CLI::Severity qw(severity_color severity_counts severity_exit_code);
use PVE::Multipath::Doctor;
use PVE::Multipath::Source;
use PVE::Multipath::Text qw(safe one_line wrap age);

# When, as far as it is known.
my sub when($finding, $now) {
    my $age = $finding->{age};
    $age = $now - $finding->{since} if defined($finding->{since});
    return '' if !defined($age) || $age < 0;
    return ' (' . age($age) . ' ago)';
}

my sub lines($findings, $aliases, $now) {
    return 'Nothing found.' if !@$findings;

    my ($width, $colored) = (terminal_width(), use_color());
    my @lines;
    for my $finding (@$findings) {
        my ($severity, $node) = $finding->@{qw(severity node)};
        my @luns = map { $aliases->{$_} // $_ } ($finding->{luns} // [])->@*;
        my $more = ($finding->{count} // 0) - @luns;
        push @luns, "$more more" if $more > 0;
        my $about = join(', ', @luns);
        my $text = join(': ', $severity, $node // (), length($about) ? $about : (), $finding->{text});
        my ($first, @more) = wrap(one_line($text . when($finding, $now)), $width, '    ');
        substr($first, 0, length($severity)) = severity_color($severity, $severity, $colored);
        push @lines, $first, @more;
        push @lines, map { "    $_" } wrap('try: ' . one_line($finding->{help}), $width - 4, '    ')
            if defined($finding->{help});
    }
    return (@lines, '', severity_counts($findings));
}

# Where the nodes' reports come from; undef where Proxmox VE is not installed.
my sub cluster($source, $opts) {
    return $source if defined($opts->{replay});
    my $live = eval { PVE::Multipath::Source->live() };
    warn "only this node is examined: $@" if !defined($live);
    return $live;
}

sub run($source, $opts, $lun = undef) {
    my $cfg = eval { $source->quiet_config() } // { ids => {} };
    my $wwid = defined($lun) ? configured_wwid($cfg, $lun) // $lun : undef;
    my $name = $opts->{node} // $source->nodename();
    my $node = eval { $source->node($opts->{node}) };
    if (!defined($node)) {
        die $@ if defined($opts->{node});
        warn "only the reports of the nodes are examined: $@";
    }

    my $findings =
        PVE::Multipath::Doctor::findings($source, cluster($source, $opts), $node, $name, $wwid);
    my $ids = $cfg->{ids};
    my $aliases = { map { $_ => $ids->{$_}->{alias} } keys %$ids };
    print_result($opts, $findings, sub() { lines($findings, $aliases, $source->now()) });
    return severity_exit_code($findings);
}

1;
